"""Feeding targets with inputs that Hypothesis draws. `make fuzz` is the long form, test_fuzz.py the short one."""

from __future__ import annotations

import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from control_targets import ActorTarget, ApplicationTarget, CoordinatorTarget, NorthboundTarget
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from targets import SpecTarget, TraceTarget

HANG_S = 20
"""One input takes milliseconds; one that takes this long hangs."""
MEMORY_BYTES = 6 * 2**30
"""Address space that the long form may have: what grows without bound ends in a MemoryError."""


class Target(Protocol):
    """What is fed."""

    def feed(self, random: Random) -> bool:
        """One input; whether it was a good one."""


TARGETS: dict[str, Callable[[Path], Target]] = {
    "spec": SpecTarget,
    "trace": TraceTarget,
    "actor": ActorTarget,
    "coordinator": CoordinatorTarget,
    "applications": ApplicationTarget,
    "northbound": NorthboundTarget,
}


@dataclass
class Tally:
    """How many inputs a target has had, and how many of them were good."""

    inputs: int = 0
    good: int = 0


def fuzz(name: str, inputs: int, number: int) -> Tally:
    """Feed a target with so many inputs; `number` seeds them. An input that breaks a rule is shown smallest first."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        target = TARGETS[name](Path(folder))

        @seed(number)
        @settings(
            max_examples=inputs,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 2**64 - 1))
        def run(drawn: int) -> None:
            with _ends():
                good = target.feed(Random(drawn))
            tally.inputs += 1
            tally.good += good

        run()
    return tally


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Bound the address space of this process."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def _ends() -> Iterator[None]:
    def hang(*_: Any) -> None:
        raise AssertionError(f"it hangs: more than {HANG_S} s for one input")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
