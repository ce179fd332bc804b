"""What is looked at while a run goes: ports, queues, processors, and when frames leave a saturated link."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from testbed.coflow import Ints
from testbed.emulation.departures import Tap
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.processors import ProcessorMeter, ProcessorShares
from testbed.fabric import ETHERNET_HEADER
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.onlooker import Onlooker

SAMPLE_S = 0.25
PROCESSORS_S = 1.0
BUDGET = 0.025
"""Of a processor, that reading ports and queues may take; with very many ports they are read less often."""
_BUDGET_AT_START_S = 0.02
MOST_DEPARTURES = 4096
"""Frames of a run whose departure is noted, in windows of one sample."""
_LONG_QUEUE_FRAMES = 4
"""So many full frames wait before a link is tapped."""


class Samples:
    """The series of one run; `take` is for one thread at a time."""

    def __init__(self, network: EmulatedNetwork, own: Iterable[int], onlooker: Onlooker | None) -> None:
        self._network = network
        self._onlooker = onlooker
        self._meter = ProcessorMeter([*own, *(onlooker.pids if onlooker is not None else ())])
        self._departures = Departures(network)
        self._at_s: list[float] = []
        self._ports: list[tuple[Ints, Ints]] = []
        self._queues: list[tuple[Ints, Ints]] = []
        self._processors: list[tuple[float, ProcessorShares]] = []
        self._processors_s = 0.0
        self._skipped = False
        self._drops: pd.DataFrame | None = None
        self._cpu_s = 0.0

    def take(self, at_s: float) -> None:
        """Note what the counters say now, `at_s` seconds after the start, or nothing where that costs too much."""
        began = time.thread_time()
        if at_s - self._processors_s > PROCESSORS_S - SAMPLE_S / 2:
            self._processors.append((at_s, self._meter.read()))
            self._processors_s = at_s
        self._skipped = self._cpu_s > BUDGET * at_s + _BUDGET_AT_START_S
        if not self._skipped:
            self._look(at_s)
        self._cpu_s += time.thread_time() - began

    def _look(self, at_s: float) -> None:
        sent, received = self._network.port_counters()
        read_s = time.monotonic()
        backlog, drops = self._network.queues.read()
        self._departures.look(at_s, backlog, lambda: time.monotonic() - read_s)
        self._at_s.append(at_s)
        self._ports.append((sent, received))
        self._queues.append((backlog, drops))
        if self._onlooker is not None:
            self._onlooker.ports(at_s, sent)

    def end(self, start_ns: int) -> None:
        """The last look of a run that began at an instant of CLOCK_MONOTONIC, before the network goes down."""
        if self._skipped:
            self._look((time.monotonic_ns() - start_ns) / 1e9)
        queues = self._network.queues
        full, (_, drops) = queues.full_drops(), queues.read()
        self._drops = pd.DataFrame({"link": np.arange(len(full)), "drops": drops, "full": full})

    def add_to(self, outcome: Outcome) -> None:
        """Put the series into an outcome."""
        count, links = len(self._at_s), len(self._network.plan.fabric.links)
        place = {"at_s": np.repeat(self._at_s, links), "link": np.tile(np.arange(links), count)}
        for name, series, columns in (
            ("ports", self._ports, ("sent_bytes", "received_bytes")),
            ("queues", self._queues, ("backlog_bytes", "drops")),
        ):
            values = np.array(series, dtype=np.int64).reshape(count, 2, links)
            outcome.samples[name] = pd.DataFrame(
                {**place, **{column: values[:, i].ravel() for i, column in enumerate(columns)}}
            )
        outcome.samples["processors"] = pd.DataFrame([{"at_s": at_s, **vars(s)} for at_s, s in self._processors])
        outcome.samples["departures"] = self._departures.table()
        if self._drops is not None:
            outcome.samples["drops"] = self._drops
        outcome.facts["sampling_cpu_s"] = self._cpu_s

    def close(self) -> None:
        """Take away the tap that may still be there."""
        self._departures.close()


class Departures:
    """Taps the most loaded link (by the plan) of those that have a long queue, from one sample to the next.

    Only frames that already stood in the queue are noted: the link had to send these one after the other.
    """

    def __init__(self, network: EmulatedNetwork) -> None:
        self._network = network
        self._frame_bytes = network.plan.fabric.mtu + ETHERNET_HEADER
        self._by_load = most_loaded_first(network.plan)
        self._tap: Tap | None = None
        self._link = 0
        self._stood = 0.0
        self._windows = 0
        self._noted: list[tuple[int, int, float, int]] = []

    def look(self, at_s: float, backlog: Ints, backlog_age_s: Callable[[], float]) -> None:
        """End the tap that there is, and make one where a link has a queue and frames may still be noted.

        `backlog_age_s` tells how long ago the backlog (bytes per link) was read.
        """
        if self._tap is not None:
            tap, self._tap = self._tap, None
            self._note(at_s, tap.take())
        waiting = backlog[self._by_load] >= _LONG_QUEUE_FRAMES * self._frame_bytes
        if len(self._noted) < MOST_DEPARTURES and waiting.any():
            self._link = int(self._by_load[np.argmax(waiting)])
            self._tap = Tap(*self._network.queues.where[self._link])
            gone = backlog_age_s() * self._network.plan.fabric.links[self._link].rate_bps / 8
            self._stood = backlog[self._link] - gone - self._frame_bytes

    def table(self) -> pd.DataFrame:
        """A row per frame: window, link, when it left, and its bytes."""
        return pd.DataFrame(self._noted, columns=["window", "link", "at_s", "bytes"])

    def close(self) -> None:
        """Take the tap away."""
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def _note(self, at_s: float, frames: list[tuple[int, int]]) -> None:
        start_ns = time.time_ns() - at_s * 1e9
        total = 0
        for ns, size in frames[: MOST_DEPARTURES - len(self._noted)]:
            total += size
            if total > self._stood:
                break
            self._noted.append((self._windows, self._link, (ns - start_ns) / 1e9, size))
        self._windows += 1


def most_loaded_first(plan: Plan) -> Ints:
    """Links by the time that the plan's bytes take on them, longest first."""
    load_s = plan.flows.bytes_by_link(len(plan.fabric.links)) / plan.fabric.capacity_Bps
    return np.argsort(-load_s, kind="stable").astype(np.int64)
