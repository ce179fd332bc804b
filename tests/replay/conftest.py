"""Real actor processes on loopback addresses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from replay_rig import Actors, Cast

ACTOR = Path(__file__).parent.parent.parent / "testbed/actor"


@pytest.fixture
def actors(tmp_path: Path) -> Iterator[Actors]:
    """Starts that many actors as a container would: by their folder, with nothing else of the testbed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(count: int) -> Cast:
        sockets = [tmp_path / f"h{number}.sock" for number in range(count)]
        doors = [tmp_path / f"h{number}.apps" for number in range(count)]
        for socket, door in zip(sockets, doors, strict=True):
            command = [sys.executable, "-I", "-B", str(ACTOR), "--socket", str(socket), "--applications", str(door)]
            started.append(subprocess.Popen(command, cwd=tmp_path))
        return Cast(started[-count:], sockets, doors)

    yield start
    for process in started:
        process.kill()
        process.wait()
