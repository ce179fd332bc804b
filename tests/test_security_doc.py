"""docs/security.md names a test for each of its lines, and that test is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [line for line in (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
NAMED = [found.groups() for row in ROWS for found in re.finditer(r"`(tests/[\w/]+\.py)::(\w+)`", row)]


def test_every_line_names_a_test_or_a_document() -> None:
    lines = [row for row in ROWS if row != "| what | test |"]
    assert len(lines) >= 15
    assert [row for row in lines if "`tests/" not in row and "](" not in row] == []


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_named_test_is_there(file: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8")
