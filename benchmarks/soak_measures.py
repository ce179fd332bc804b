"""What a run could leave behind, counted: in this process, on the machine, and in the daemons that are kept."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from testbed.emulation import names
from testbed.emulation.docker_service import DATA_ROOT, connect, daemon_pid, find_daemon
from testbed.emulation.image import CACHE
from testbed.emulation.netns import NAMED
from testbed.emulation.owner import processes_with_argument, with_descendants

ALLOWED: dict[str, float] = {
    "memory in use, MB": 0.5,
    "Python's blocks, thousands": 5.0,
    "memory, MB": 10.0,  # with what the allocators keep for later, which grows by single steps
    "open files": 0.5,
    "threads": 0.5,
    "objects, thousands": 5.0,
    "processes": 0.5,
    "containers": 0.5,
    "network namespaces": 0.5,
    "links": 0.5,
    "mounts": 0.5,
    "control groups": 0.5,
    "kernel memory, MB": 20.0,
    "state, KB": 50.0,  # most of it is the log of dockerd, which begins anew at 256 KB
    "Docker's files, KB": 200.0,
    "cache, KB": 1.0,
    "temporary files, KB": 1.0,
    "dockerd, MB": 5.0,
    "containerd, MB": 5.0,
}
"""Figure -> growth in 100 runs that counts as none."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_INTERNED = 500_000  # more strings than the table has places


def take() -> dict[str, float]:
    """All figures, now."""
    memory_mb = _resident_mb(os.getpid())
    _settle()
    daemon = daemon_pid()
    ours = with_descendants([os.getpid(), *([daemon] if daemon else [])])
    return {
        "memory in use, MB": _malloc_mb() + pa.total_allocated_bytes() / 1e6,
        "Python's blocks, thousands": sys.getallocatedblocks() / 1e3,
        "memory, MB": memory_mb,
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "objects, thousands": len(gc.get_objects()) / 1e3,
        "processes": len(set(ours) | set(processes_with_argument(str(names.RUNTIME)))),
        "containers": _containers(),
        "network namespaces": len(list(NAMED.iterdir())) if NAMED.is_dir() else 0,
        "links": len(os.listdir("/sys/class/net")),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "control groups": sum(1 for _ in os.walk("/sys/fs/cgroup")),
        "kernel memory, MB": _unreclaimable_mb(),
        "state, KB": _size_kb([names.RUNTIME]),
        "Docker's files, KB": _size_kb([DATA_ROOT]),
        "cache, KB": _size_kb(CACHE.glob("actor-root*")),
        "temporary files, KB": _size_kb([Path(tempfile.gettempdir())]),
        "dockerd, MB": _resident_mb(daemon) if daemon else 0.0,
        "containerd, MB": sum(_resident_mb(pid) for pid in ours if _name(pid) == "containerd"),
    }


def _settle() -> None:
    """Have Python do what it does once in a while anyway, so that it does not show in some run or other.

    The table of interned strings keeps the places of strings that are gone until it is full. Then, after a hundred runs
    or so, it is made anew twice as large (4 MB more of memory in use), and that is enough for ever.
    """
    gc.collect()
    for number in range(_INTERNED):
        sys.intern(f"soak {number}")


def _malloc_mb() -> float:
    """What was allocated from glibc and not freed, by its own account, all threads' arenas together."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    with tempfile.NamedTemporaryFile() as file:
        stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        whole = file.read().decode().rpartition("</heap>")[2]  # after the arenas come the sums over them
    free = sum(int(size) for size in re.findall(r'<total type="(?:fast|rest)" .*size="(\d+)"', whole))
    (mapped,) = re.findall(r'<total type="mmap" .*size="(\d+)"', whole)
    (taken,) = re.findall(r'<system type="current" size="(\d+)"', whole)
    return (int(taken) - free + int(mapped)) / 1e6


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has ended
        return ""


def _containers() -> int:
    socket = find_daemon()
    if socket is None:
        return 0
    with connect(socket) as client:
        return len(client.containers(all=True))


def _unreclaimable_mb() -> float:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["SUnreclaim"].split()[0]) * 1024 / 1e6


def _size_kb(paths: Iterable[Path]) -> float:
    """What files take on the disk."""
    total = 0
    for path in paths:
        inner = [Path(folder) / name for folder, _, files in os.walk(path) for name in files]
        for file in [path, *inner]:
            try:
                total += os.lstat(file).st_blocks * 512
            except FileNotFoundError:  # gone meanwhile
                continue
    return total / 1e3
