"""Grains of time: in large networks an actor does not attend to its flows at every byte."""

from __future__ import annotations

from testbed.actor.gate import WRITE_NS

COARSEST_NS = 20_000_000
"""What a paced flow may miss and make good later."""


def coarse_grain_ns(report_every_ns: int) -> int:
    """How often to attend to flows where progress is reported so seldom: twice as often; 0 for as often as can be."""
    grain_ns = min(report_every_ns // 2, COARSEST_NS)
    return grain_ns if grain_ns > WRITE_NS else 0
