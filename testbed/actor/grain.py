"""Grains of time: in large networks an actor does not attend to its flows at every byte."""

from __future__ import annotations

from testbed.actor.gate import CATCH_UP_NS, WRITE_NS


def coarse_grain_ns(report_every_ns: int) -> int:
    """How often to attend to flows where progress is reported so seldom: twice as often; 0 for as often as can be.

    No coarser than what a paced flow may miss and make good later.
    """
    grain_ns = min(report_every_ns // 2, CATCH_UP_NS)
    return grain_ns if grain_ns > WRITE_NS else 0
