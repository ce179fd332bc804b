"""How far a replay has come: what a live display shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One snapshot; bytes are those received, of flows that have an end."""

    elapsed_s: float
    coflows_done: int
    coflows: int
    flows_done: int
    flows: int
    active_flows: int
    bytes_done: int
    bytes: int
    rate_Bps: float
    """Bytes received per second since the snapshot before."""
