"""Measures what this machine carries: each datapath at two sizes of what it forwards, timers, containers. As root."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from testbed import __version__
from testbed.calibration.model import fit
from testbed.calibration.store import Calibration, Datapath, this_machine
from testbed.emulation.capabilities import choose_datapath, has_kernel_datapath
from testbed.emulation.command import run
from testbed.emulation.docker_service import docker_daemon
from testbed.emulation.saturation import Saturation, saturate
from testbed.errors import CapabilityError
from testbed.units import format_rate

SIZE = 4
"""k of the fat-tree."""
SECONDS = 3.0
SATURATED = 0.85
"""A datapath that delivers more of what it is offered is not at its limit: it is then offered more."""
FASTER = 3.0
ATTEMPTS = 3
SLEEP_S = 0.002
SLEEPS = 300


@dataclass(frozen=True)
class Trial:
    """What a datapath is offered first, in one of its two measurements."""

    mtu: int
    rate_bps: float
    short_segments: bool = False


TRIALS = {
    "ovs-user": (Trial(9000, 50e6), Trial(1500, 15e6)),
    "ovs-kernel": (Trial(9000, 500e6), Trial(1500, 100e6)),
    # Routers forward segments of many frames, about 64 KB whatever the MTU: their second size is that of short ones.
    "router": (Trial(9000, 1e9), Trial(1500, 200e6, short_segments=True)),
}
"""Rates that are a little more than slow machines forward: far above the limit TCP wastes what is forwarded."""


def calibrate(
    datapaths: Sequence[str] = (),
    *,
    k: int = SIZE,
    seconds: float = SECONDS,
    say: Callable[[str], None],
    detail: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Measure these datapaths (none: all that the machine has), and the rest. Does not store it.

    CapabilityError without root, or for a datapath that the machine lacks.
    """  # fmt: skip
    if os.geteuid() != 0:
        raise CapabilityError("calibration needs root: it emulates networks; run it again with sudo")
    names = [choose_datapath(name) for name in datapaths] or measurable()
    timer_lag_s = timer_lag()
    found: dict[str, list[Saturation]] = {}
    with docker_daemon("calibrate", detail), tempfile.TemporaryDirectory(prefix="coflow-calibrate-") as logs:
        for name in dict.fromkeys(names):
            found[name] = [_at_the_limit(name, trial, k, seconds, Path(logs), say, detail) for trial in TRIALS[name]]
    every = [one for measured in found.values() for one in measured]
    return Calibration(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=versions(),
        machine=this_machine(),
        topology=f"fat-tree k={k}",
        datapaths={
            name: Datapath(fit([one.load for one in measured]), tuple(one.point for one in measured))
            for name, measured in found.items()
        },
        timer_lag_s=timer_lag_s,
        container_start_s=float(np.median([one.container_start_s for one in every])),
        host_memory_bytes=int(np.median([one.host_bytes for one in every])),
    )


def measurable() -> list[str]:
    """The datapaths that this machine has."""
    return ["ovs-user", *(["ovs-kernel"] if has_kernel_datapath() else []), "router"]


def versions() -> dict[str, str]:
    """Of what the figures depend on, beside the kernel."""
    found = {"testbed": __version__, "python": platform.python_version()}
    if shutil.which("ovs-vswitchd") is not None:
        found["open vswitch"] = run(["ovs-vswitchd", "--version"]).splitlines()[0].rpartition(" ")[2]
    return found


def timer_lag() -> dict[str, float]:
    """How late sleeps end on this machine, in seconds."""
    late = []
    for _ in range(SLEEPS):
        due = time.monotonic() + SLEEP_S
        time.sleep(SLEEP_S)
        late.append(time.monotonic() - due)
    median, most = np.quantile(late, [0.5, 0.99])
    return {"median": float(median), "p99": float(most)}


def _at_the_limit(
    name: str, trial: Trial, k: int, seconds: float, logs: Path,
    say: Callable[[str], None], detail: Callable[[str], None],
) -> Saturation:  # fmt: skip
    rate_bps = trial.rate_bps
    for attempt in range(1, ATTEMPTS + 1):
        found = saturate(name, k, trial.mtu, rate_bps, seconds, logs, short_segments=trial.short_segments, say=detail)
        point = found.point
        say(
            f"{name}, MTU {trial.mtu}: {format_rate(point.goodput_bps)} in all, {point.offered:.0%} of what links of "
            f"{format_rate(rate_bps)} carry"
        )
        if point.offered < SATURATED or attempt == ATTEMPTS:
            break
        rate_bps *= FASTER
    return found
