"""Carries out the plan's faults at their instants, in a thread of its own, and says when the routes have followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

import pandas as pd

from testbed.actor.loop import Loop, Timer
from testbed.broken import fault_table
from testbed.faults import Fault
from testbed.replay.worker import Worker


class Injector(Protocol):
    """What makes faults happen. Called in one thread; what it raises ends the run."""

    def inject(self, faults: Sequence[Fault]) -> None:
        """Have things fail, or work again, which happens at one instant."""

    def reroute(self) -> None:
        """Have switches take the ways that are left, or the planned ones again."""


class _Done(NamedTuple):
    """What happened at one instant."""

    faults: tuple[Fault, ...]
    happened_ns: int
    """Of CLOCK_MONOTONIC, when the last of them was true."""
    routed_ns: int
    """When the routes were in."""


class FaultControl:
    """The faults of a plan. `on_happening` is told of them just before, `on_routed` when routes have followed."""

    def __init__(
        self,
        faults: Sequence[Fault],
        loop: Loop,
        injector: Injector,
        on_happening: Callable[[Sequence[Fault]], None],
        on_routed: Callable[[Sequence[Fault]], None],
    ) -> None:
        self._left = [tuple(together) for _, together in groupby(faults, key=lambda fault: fault.at_s)]
        self._loop = loop
        self._injector = injector
        self._on_happening = on_happening
        self._on_routed = on_routed
        self._worker = Worker(loop, "faults", self._carry_out, self._hear)
        self._heard: list[_Done] = []
        self._under_way = 0
        self._timers: list[Timer] = []

    @property
    def pending(self) -> bool:
        """Whether anything is still to happen, or to be routed around."""
        return bool(self._left or self._under_way)

    def begin(self, start_ns: int) -> None:
        """Have them happen by a clock that starts at an instant of CLOCK_MONOTONIC."""
        for together in self._left:
            self._timers.append(self._loop.call_at(start_ns + round(together[0].at_s * 1e9), self._happen))

    def stop(self) -> None:
        """Let nothing more happen than what is under way."""
        self._left.clear()
        for timer in self._timers:
            timer.cancel()

    def table(self, start_ns: int) -> pd.DataFrame:
        """One row per fault that happened: planned_s, at_s, fault, routed_s (from then on until the routes were in)."""
        return fault_table(
            [
                (
                    fault.at_s,
                    (done.happened_ns - start_ns) / 1e9,
                    fault.words,
                    (done.routed_ns - done.happened_ns) / 1e9,
                )
                for done in self._heard
                for fault in done.faults
            ]
        )

    def close(self) -> None:
        """End, after what is under way; may be called again."""
        self._worker.close()

    def _happen(self) -> None:
        faults = self._left.pop(0)
        self._under_way += 1
        self._on_happening(faults)
        self._worker.do(faults)

    def _carry_out(self, faults: tuple[Fault, ...]) -> _Done:
        self._injector.inject(faults)
        happened_ns = time.monotonic_ns()
        self._injector.reroute()
        return _Done(faults, happened_ns, time.monotonic_ns())

    def _hear(self, done: _Done) -> None:
        self._under_way -= 1
        self._heard.append(done)
        self._on_routed(done.faults)
