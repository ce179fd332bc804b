"""Coflows and flows as flat tables: the columns every part of the testbed speaks in.

A *flow* moves bytes from one host to another. A *coflow* is a set of flows that matter only together. Truth and
label are two columns: `coflow` says what a flow belongs to (and defines CCT), `label` what the scheduler is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NONE = -1
"""In a `coflow` column: belongs to no coflow (background). In a `label` column: carries no label."""

ENDLESS = 2**62
"""In a `bytes` column: a background flow that runs until the last coflow has finished, and is then cut."""


@dataclass(frozen=True)
class CoflowTable:
    """One row per coflow, ordered by (arrival, id). `arrival_s` is NaN for a coflow that starts after others."""

    coflow: Ints
    """User-visible id, unique, >= 0."""
    arrival_s: Floats
    weight: Floats
    deadline_s: Floats
    """Seconds after arrival; NaN for none."""
    after: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Coflow id -> ids of the coflows that must have finished; it arrives `delay_s` after the last of them."""
    delay_s: dict[int, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.coflow)


@dataclass(frozen=True)
class FlowTable:
    """One row per flow; the row number is the flow's id.

    A flow starts at `start_s`; where that is NaN it starts with its coflow (a coflow that is itself `after` others)
    or after the flows named in `after`.
    """

    coflow: Ints
    """True coflow id, or NONE."""
    label: Ints
    """Coflow id that the scheduler is told, or NONE."""
    src: Ints
    """Host number of the sender."""
    dst: Ints
    """Host number of the receiver."""
    bytes: Ints
    start_s: Floats
    via: Ints
    """Which core switch or spine the planned path crosses; NONE where the path needs none."""
    path_ptr: Ints
    """CSR: flow f crosses links path_links[path_ptr[f]:path_ptr[f + 1]], in order (never empty)."""
    path_links: Ints
    after: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Flow id -> ids of the flows that must have finished; it starts `delay_s` after the last of them."""
    delay_s: dict[int, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.coflow)

    def path(self, flow: int) -> tuple[int, ...]:
        """Link numbers that the flow crosses, in order."""
        return tuple(self.path_links[self.path_ptr[flow] : self.path_ptr[flow + 1]].tolist())

    def bytes_by_link(self, links: int) -> Floats:
        """What each of so many links has to carry; flows without an end count nothing."""
        size = np.where(self.bytes < ENDLESS, self.bytes, 0).astype(np.float64)
        load = np.bincount(self.path_links, np.repeat(size, np.diff(self.path_ptr)), minlength=links)
        return load.astype(np.float64, copy=False)
