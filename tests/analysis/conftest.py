from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))  # plans and outcomes by hand: run_factory

from run_writer import WriteRun, writer


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes runs into tmp_path."""
    return writer(tmp_path)
