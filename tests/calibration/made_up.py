"""A calibration made up of round figures."""

from __future__ import annotations

from testbed.calibration.model import Cost
from testbed.calibration.store import Calibration, Datapath, Machine, Point, this_machine

POINT = Point(9000, 50e6, 1, 5e8, 0.6, 50_000.0, 3e8, 0.03, 0.0)


def made_up(datapath: str = "ovs-user", machine: Machine | None = None) -> Calibration:
    """10 us a frame and 1 ns a byte."""
    return Calibration(
        date="2026-01-31T12:00:00+00:00",
        versions={"testbed": "0"},
        machine=machine or this_machine(),
        topology="fat-tree k=4",
        datapaths={datapath: Datapath(Cost(10e-6, 1e-9), (POINT, POINT))},
        timer_lag_s={"median": 6e-5, "p99": 2e-4},
        container_start_s=0.2,
        host_memory_bytes=30_000_000,
    )
