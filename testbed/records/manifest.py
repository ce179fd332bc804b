"""The manifest: on what machine, from what code and with what arguments a run was made. Written before it starts."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from testbed import __version__
from testbed.plan import Plan

FORMAT = 1
PACKAGES = ("numpy", "numba", "pandas", "pyarrow", "matplotlib", "scipy", "networkx", "pydantic", "PyYAML", "orjson",
            "click", "rich", "jinja2", "docker", "mininet", "os-ken", "paramiko", "dask", "distributed")  # fmt: skip
SYSCTLS = (
    "net.core.default_qdisc",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.fib_multipath_hash_policy",
    "net.ipv4.ip_forward",
    "net.ipv4.tcp_allowed_congestion_control",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_wmem",
)
"""Kernel settings that change what a run measures."""
_GIT_DEADLINE_S = 10.0


def manifest(
    plan: Plan, source: str, arguments: Sequence[str], capabilities: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The manifest of a run that is about to start, as plain data. `capabilities`: what the caller probed, if it did.

    Sysctls that this kernel lacks, and facts that cannot be read, are null.
    """
    return {
        "format": FORMAT,
        "status": "started",
        "started_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "experiment": plan.experiment,
        "topology": plan.topology,
        "workload": plan.workload,
        "scheduler": {"title": plan.scheduler.title, "name": plan.scheduler.name,
                      "parameters": plan.scheduler.parameters},
        "source": source,
        "repeat": plan.repeat,
        "seed": plan.seed,
        "enforcement": list(plan.enforcement),
        "metering": plan.metering,
        "marking": plan.marking,
        "control": plan.control,
        "ecmp": plan.ecmp,
        "datapath": plan.datapath,
        "arguments": list(arguments),
        "notes": list(plan.notes),
        "calibration": plan.calibration or None,
        "software": software(),
        "machine": machine(),
        "sysctls": {name: _read(Path("/proc/sys") / name.replace(".", "/")) for name in SYSCTLS},
        "capabilities": None if capabilities is None else dict(capabilities),
    }  # fmt: skip


@cache
def software() -> dict[str, Any]:
    """Versions of the testbed, Python and every package it stands on, and the git commit it was run from."""
    return {
        "testbed": __version__,
        "python": platform.python_version(),
        "packages": {name: _package_version(name) for name in PACKAGES},
        "git": git_state(Path(__file__).resolve().parents[2]),
    }


def machine() -> dict[str, Any]:
    """Kernel, processor, memory and load of this machine."""
    memory = _field("/proc/meminfo", "MemTotal")
    load = _read(Path("/proc/loadavg"))
    return {
        "kernel": platform.release(),
        "kernel_build": platform.version(),
        "architecture": platform.machine(),
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
        "load_average": [float(word) for word in load.split()[:3]] if load else None,
    }


def git_state(directory: Path) -> dict[str, Any] | None:
    """Commit of the checkout and whether tracked files differ from it (`dirty`); None outside a checkout."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None or _git(directory, "ls-files", "--error-unmatch", "setup.cfg") is None:
        return None  # installed somewhere inside a repository that is not ours
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes)}


def _git(directory: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_DEADLINE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: Path) -> str | None:
    try:
        return " ".join(path.read_text().split())
    except OSError:
        return None


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
