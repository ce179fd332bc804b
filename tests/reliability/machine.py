"""All of the machine that a run could have changed, as plain sets, and what differs between two looks at it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from testbed.emulation import names
from testbed.emulation.docker_service import DATA_ROOT
from testbed.emulation.image import CACHE

TOKEN = "COFLOW_FAULTS"
"""Environment variable by which everything that a victim starts is told from other programs of the machine."""
CHANGING = ("/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/random/", "/proc/sys/kernel/printk_ratelimit")
"""Settings that change by themselves."""

SWEPT = names.RUNTIME / "docker" / "exec" / "netns"

Look = dict[str, set[str]]


def look(token: str = "") -> Look:
    """Kind -> what there is of it. `token`: processes that have it in their environment count as well."""
    return {
        "links": {entry.name for entry in Path("/sys/class/net").iterdir()},
        "queueing disciplines": _lines("tc", "qdisc", "show"),
        "addresses, routes and rules": _lines("ip", "-o", "address")
        | _lines("ip", "route", "show", "table", "all")
        | _lines("ip", "rule"),
        "network namespaces": _network_namespaces(token),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "control groups": {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()},
        "settings": set(_settings()),
        "processes": set(_processes(token).values()),
        "files": set(_files()),
    }


def differences(before: Look, after: Look) -> list[str]:
    """What is there more or less than before, one line each."""
    found = []
    for kind, had in before.items():
        found += [f"{kind}: new: {each}" for each in sorted(after[kind] - had)]
        found += [f"{kind}: gone: {each}" for each in sorted(had - after[kind])]
    return found


def _lines(*command: str) -> set[str]:
    """What a program prints, without seconds that run down."""
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.partition(" valid_lft")[0].partition(" expires ")[0].strip() for line in out.splitlines()}


def _network_namespaces(token: str) -> set[str]:
    """Those with a name, and those that only processes of runs are in."""
    named = Path("/run/netns")
    found = {f"name {entry.name}" for entry in named.iterdir()} if named.is_dir() else set()
    for pid in _processes(token):
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            continue
    return found


def _settings() -> Iterable[str]:
    """Every setting of the kernel that can be written, with its value."""
    for folder, _, files in os.walk("/proc/sys"):
        for name in files:
            path = f"{folder}/{name}"
            if path.startswith(CHANGING) or not os.stat(path).st_mode & 0o222:
                continue
            try:
                yield f"{path} = {Path(path).read_text(errors='replace').strip()}"
            except OSError:  # write-only, or of a device that cannot tell
                continue


def _processes(token: str) -> dict[int, str]:
    """Processes that belong to a run: by the directory in their arguments, by a container's group, by the token."""
    mark = f"{TOKEN}={token}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if not command:  # it has ended, and nobody has asked how yet
                continue
            ours = str(names.RUNTIME).encode() in command or "/docker" in (entry / "cgroup").read_text()
            if ours or (token and mark in (entry / "environ").read_bytes().split(b"\0")):
                found[int(entry.name)] = f"{entry.name} {command.replace(bytes(1), b' ').decode(errors='replace')}"
        except OSError:  # it has ended
            continue
    return found


def _files() -> Iterable[str]:
    """Names below the directories of runs, of our own Docker daemon and of the cache; none deep inside images.

    A daemon that goes on sweeps away the (unmounted) files of its containers' namespaces once a minute.
    """
    yield from (str(path) for path in names.RUNTIME.rglob("*") if path.parent != SWEPT)
    yield from (str(path) for path in CACHE.glob("actor-root*"))
    for pattern in ("*", "*/*", "containerd/daemon/*/moby/*"):
        yield from (str(path) for path in DATA_ROOT.glob(pattern))
