"""docs/schedulers.md names every registered scheduler, every parameter and its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.scheduling import registry

TEXT = (Path(__file__).parents[2] / "docs/schedulers.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)$", TEXT, re.MULTILINE))
SHOWN = {10_000_000: "10 MB", 0.0: "0", True: "true"}


def test_the_table_is_the_registry() -> None:
    assert set(ROWS) == set(registry.known())


@pytest.mark.parametrize("name", registry.known())
def test_parameters_and_defaults(name: str) -> None:
    row = ROWS["fifo"] if name in ("scf", "ncf", "lcf") else ROWS[name]
    if row != ROWS[name]:
        assert "as above" in ROWS[name]
    for parameter, default in registry.parameters(name).items():
        assert f"`{parameter}`" in row
        assert re.search(rf"`{parameter}`[^;|]*\({SHOWN.get(default, default)}", row), (parameter, default)
    assert set(re.findall(r"`([a-z_]+)`", row.split("|")[-2])) == set(registry.parameters(name))
