"""Tests of faults: whole runs as victims, and the machine must be afterwards what it was before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ("emulation", "end_to_end"))]


@pytest.fixture
def same_machine() -> Iterator[None]:
    """Fails where the test leaves anything on the machine that was not there before, or less."""
    from machine import differences, look

    before = look()
    yield
    assert differences(before, look()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 4 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "coflow-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    """Fills a disk to its last byte; returns the file that does, whose end makes room."""

    def to_the_brim(folder: Path) -> Path:
        path = folder / "ballast"
        with path.open("wb", buffering=0) as file:
            for size in (1 << 16, 1):
                try:
                    while True:
                        file.write(os.urandom(size))
                except OSError:
                    continue
        return path

    return to_the_brim
