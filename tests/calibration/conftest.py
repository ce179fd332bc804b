"""Where tests keep a calibration."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.calibration import store


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The machine's folder and the user's, both empty, in place of the real ones."""
    monkeypatch.delenv(store.VARIABLE, raising=False)
    monkeypatch.setattr(store, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return tmp_path / "system", tmp_path / "user/coflow-testbed"
