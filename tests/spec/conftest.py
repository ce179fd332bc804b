"""A folder with a small topology, workload and trace, made the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "t.yml").write_text("kind: fat-tree\nk: 4\n")
    (tmp_path / "w.yml").write_text("kind: explicit\ncoflows:\n  - {id: 1, flows: [{from: 0, to: 1, size: 1 MB}]}\n")
    (tmp_path / "trace.txt").write_text("2 1\n1 0 1 0 1 1:1.0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path
