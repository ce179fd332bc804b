"""Byte counters of every link, read at both ends: what was sent into it and what came out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path

import numpy as np

from testbed.coflow import Ints
from testbed.emulation.netns import inside
from testbed.emulation.wiring import Cable, End
from testbed.errors import EmulationError

_HEADER_LINES = 2
_RECEIVED, _SENT = 0, 8
"""Columns of /proc/net/dev after the interface's name."""


class PortCounters:
    """Reads whole frames in bytes, from the counters of veths: one file per network namespace."""

    def __init__(
        self, cables: Iterable[Cable], links: int, pids: list[int], namespace: Callable[[int], Path | None]
    ) -> None:
        """`pids` is by host number; `namespace` tells that of a switch's ports, None for the root one."""
        self._links = links
        self._open: dict[Path, FileIO] = {}
        self._files: dict[Path, dict[str, tuple[int, int]]] = {}
        for cable in cables:
            for end, other in (cable.ends, cable.ends[::-1]):
                self._files.setdefault(self._file(end, pids, namespace), {})[end.interface] = (end.link, other.link)

    def read(self) -> tuple[Ints, Ints]:
        """Per link, bytes sent at its source's end and bytes received at its target's end, since the bring-up."""
        sent = np.zeros(self._links, dtype=np.int64)
        received = np.zeros(self._links, dtype=np.int64)
        for path, interfaces in self._files.items():
            for line in self._text(path).splitlines()[_HEADER_LINES:]:
                name, _, figures = line.partition(":")
                links = interfaces.get(name.strip())
                if links is not None:
                    columns = figures.split()
                    leaving, arriving = links
                    sent[leaving] = int(columns[_SENT])
                    received[arriving] = int(columns[_RECEIVED])
        return sent, received

    def hold(self, pid: int) -> None:
        """Keep the counters, and the namespace, of a host whose processes are about to end."""
        path = Path(f"/proc/{pid}/net/dev")
        self._open[path] = inside(pid, lambda: FileIO("/proc/thread-self/net/dev"))

    def close(self) -> None:
        """Let go of the namespaces that were entered: they last while somebody has a file of theirs open."""
        for file in self._open.values():
            file.close()

    def _text(self, path: Path) -> str:
        file = self._open.get(path)
        if file is not None:
            file.seek(0)
            return file.readall().decode()
        try:
            return path.read_text()
        except OSError:
            raise EmulationError(f"{path} is gone: a host's container has ended") from None

    def _file(self, end: End, pids: list[int], namespace: Callable[[int], Path | None]) -> Path:
        """What names the counters of an end's namespace; those that no process is in are opened from inside."""
        if end.host is not None:
            return Path(f"/proc/{pids[end.host]}/net/dev")
        assert end.switch is not None
        path = namespace(end.switch)
        if path is None:
            return Path("/proc/net/dev")
        if path not in self._open:
            self._open[path] = inside(path, lambda: FileIO("/proc/thread-self/net/dev"))
        return path
