"""What a scheduler sees, what it returns, and what it must promise.

A scheduler is pure: it gets a `View`, returns an `Allocation`, reads no clock, does no I/O, keeps no state that
changes an answer, and never writes to the arrays it is handed. Live and simulated runs call the same object.

An allocation is what the scheduler *commands* (caps, priority classes); what a flow then gets is the network's
answer: strict or weighted priority between classes, max-min fair inside a class, never above a cap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from testbed.coflow import Floats, Ints


@dataclass(frozen=True)
class View:
    """The active coflows and flows at one instant, as flat arrays. Only labels appear, never the ground truth.

    Coflow arrays are ordered by (arrival, id), flow arrays by (coflow row, source, destination, flow id); flows
    without a label come last, with `flow_coflow` = -1: the scheduler may see and class them, it need not.
    """

    now_s: float
    capacity_Bps: Floats
    """Goodput capacity per link, now."""
    coflow: Ints
    """Label (coflow id) per coflow row."""
    arrival_s: Floats
    weight: Floats
    deadline_s: Floats
    """Seconds after arrival; NaN for none."""
    coflow_received: Floats
    """Bytes received over all labelled flows of the coflow, finished ones included."""
    coflow_width: Ints
    """Number of labelled flows registered so far, finished ones included."""
    flow: Ints
    """Flow id per flow row."""
    flow_coflow: Ints
    """Row of the flow's coflow in the coflow arrays, or -1."""
    src: Ints
    dst: Ints
    received: Floats
    """Bytes received per flow."""
    path_ptr: Ints
    """CSR: flow row f crosses links path_links[path_ptr[f]:path_ptr[f + 1]]."""
    path_links: Ints
    remaining: Floats | None
    """Bytes still to come per flow; None for a scheduler that is not clairvoyant."""
    size: Floats | None
    """Total bytes per flow; None for a scheduler that is not clairvoyant."""
    coflow_size: Floats | None
    """Total bytes per coflow, finished flows included; None for a scheduler that is not clairvoyant."""
    coflow_length: Floats | None = None
    """Bytes of each coflow's largest flow, finished ones included; None for a scheduler that is not clairvoyant."""
    coflow_gamma_s: Floats | None = None
    """Gamma of all the coflow's labelled flows, whole, on the empty fabric; None where not clairvoyant."""

    @cached_property
    def coflow_ptr(self) -> Ints:
        """CSR: the flow rows of coflow row c are coflow_ptr[c] to coflow_ptr[c + 1]; the last is where labels end."""
        return np.searchsorted(self.flow_coflow[: self.labelled], np.arange(len(self.coflow) + 1))

    @cached_property
    def labelled(self) -> int:
        """Number of flow rows that carry a label: they come first."""
        return int(np.count_nonzero(self.flow_coflow >= 0))


@dataclass
class Allocation:
    """What the scheduler commands; arrays are per flow row (or coflow row) of the view."""

    cap_Bps: Floats
    """Rate cap per flow: inf for none ("as fast as you can"), 0 to stop it."""
    queue: Ints
    """Priority class per flow, 0 first. Enforcers fold classes: min(queue, K - 1)."""
    order: Ints
    """Coflow rows, first served first."""
    queue_weight: Floats | None = None
    """Weight per priority class for weighted sharing; None for strict priority."""
    reject: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Coflow rows never to be served."""
    cut: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Coflow rows to stop where they are."""
    ask_again_s: float = np.inf
    """Absolute instant at which the scheduler wants to be asked even if nothing happens (a tick)."""
    ask_at_received: Floats | None = None
    """Per coflow row, the received bytes at which it wants to be asked (a threshold); inf for never."""


class Scheduler(ABC):
    """Base of all schedulers. Parameters are keyword arguments of `__init__`, in bytes, seconds and plain numbers."""

    name: ClassVar[str]
    clairvoyant: ClassVar[bool] = True
    """Whether it may see sizes and remaining bytes; where false the view holds None for them."""
    units: ClassVar[Mapping[str, str]] = {}
    """Which parameters are quantities: name -> `size` (bytes) or `time` (seconds)."""
    sync_s: float = 0.0
    """Coordination interval: received bytes reach it only as old as the last multiple of this; 0 for at once."""
    minimum_size: float = 0.0
    """Flows of fewer bytes are not registered with it: they come as flows without a label."""

    @abstractmethod
    def allocate(self, view: View) -> Allocation:
        """Decide for this instant. Called on arrivals, completions, and when the last allocation asked for it."""
