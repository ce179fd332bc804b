from __future__ import annotations

from pathlib import Path

import pytest
from small_study import record_study, write_specs

from testbed.analysis.study.report import StudyReport, write_study_report


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    """The report of a study of which only simulations were made."""
    folder = tmp_path_factory.mktemp("simulated")
    return write_study_report(record_study(write_specs(folder / "small"), folder / "out", emulated=False).path)


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    """The report of a study with all its runs."""
    folder = tmp_path_factory.mktemp("complete")
    return write_study_report(record_study(write_specs(folder / "small"), folder / "out", emulated=True).path)


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """The files of a small study."""
    return write_specs(tmp_path / "small")
