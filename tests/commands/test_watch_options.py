"""`testbed run --watch` where there is nothing to watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cli import main

SIMULATED = """
topology: {kind: fat-tree, k: 2}
workload: {kind: explicit, coflows: [{id: 1, flows: [{from: 0, to: 1, size: 1 MB}]}]}
schedulers: [fair]
backends: [simulation]
"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--watch"], "--watch: shows emulated runs, and e.yml is only simulated; leave it out"),
        (["--watch-port", "8123"], "--watch-port 8123: this would have no effect without --watch; add it"),
    ],
)
def test_an_option_for_nothing_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("e.yml").write_text(SIMULATED)
    with pytest.raises(SystemExit) as exit_:
        main(["run", "e.yml", *options])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"error: {words}\n"
    assert not Path("results").exists()
