"""Replay a plan on actors that are up: the one call that the emulation makes."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from testbed.actor import endpoint
from testbed.interrupts import held_back
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.actor_link import Connect
from testbed.replay.aside import Aside
from testbed.replay.coordinator import Coordinator
from testbed.replay.edge_control import ChangeEdges
from testbed.replay.fault_control import Injector
from testbed.replay.onlooker import Onlooker
from testbed.replay.programs import APPLICATION_FOLDER
from testbed.replay.progress import Progress
from testbed.replay.setup import DATA_PORT
from testbed.scheduling.base import Scheduler
from testbed.scheduling.registry import make

_OUTCOME = "outcome_so_far"
_PROGRESS_S = 0.25
_STANDING_S = 0.5
_ALIVE_S = 0.5


def replay(
    plan: Plan,
    sockets: Sequence[Path | str],
    *,
    scheduler: Scheduler | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    onlooker: Onlooker | None = None,
    sample: Callable[[float], None] | None = None,
    sample_s: float = 0.2,
    check_alive: Callable[[], None] | None = None,
    deadline_s: float | None = None,
    delta_s: float | None = None,
    port: int = DATA_PORT,
    congestion: str = "",
    probe: bool = True,
    change_edges: ChangeEdges | None = None,
    connect: Connect = endpoint.connect,
    application_folder: str = APPLICATION_FOLDER,
    logs: Path | None = None,
    injector: Injector | None = None,
) -> Outcome:
    """Run the plan's flows between the actors at `sockets` (one per host, in order), under the plan's scheduler.

    `scheduler` stands in for the plan's. `on_progress`, `onlooker`, `sample` (about every `sample_s`, given the seconds
    since the start; also just before the start and after the end) and `check_alive` (raises where something the run
    needs has died) are called in a thread of their own, so that a slow one delays nothing. `deadline_s` bounds the
    replay in seconds since the start. Actors report progress every `delta_s`: by default the scheduler's own interval,
    or 10 ms.
    `congestion` names a TCP congestion control for the senders where routes do not set it. `probe` measures
    round-trip times on the idle network before and after. `change_edges` sets meters and marks where flows enter the
    network, for an enforcement that needs it. `connect` makes the control connections: where from is the caller's
    affair (in-band control makes them inside a host's network namespace). The plan's own programs run in
    `application_folder`, as the hosts see it, and what they print goes into files in `logs`. `injector` carries out the
    plan's faults.

    Raises ReplayError, naming host and flow, where an actor dies, stays silent or reports an error, or time is up;
    and whatever the scheduler or `check_alive` raises, or KeyboardInterrupt. What had happened by then is kept:
    `outcome_so_far(error)`.
    """
    scheduler = scheduler or make(plan.scheduler.name, plan.scheduler.parameters)
    coordinator = Coordinator(
        plan, sockets, scheduler, port, congestion, delta_s, connect, change_edges, application_folder, logs, injector
    )
    aside = Aside()
    tell_phase = onlooker.phase if onlooker is not None else _tell_nobody
    if on_progress is not None:
        aside.every(_PROGRESS_S, lambda: on_progress(coordinator.progress()))
    if onlooker is not None:
        aside.every(_STANDING_S, lambda: onlooker.standing(coordinator.standing()))
    if sample is not None:
        aside.every(sample_s, lambda: sample(max(coordinator.elapsed_s(), 0.0)))
    if check_alive is not None:
        aside.every(_ALIVE_S, check_alive)
    try:
        with _undisturbed():
            tell_phase("prepare")
            coordinator.prepare(probe)
            if sample is not None:
                sample(0.0)
            tell_phase("replay")
            coordinator.run(deadline_s, aside)
            aside.close()
            if sample is not None:
                sample(coordinator.elapsed_s())
            tell_phase("drain")
            coordinator.drain(probe)
            if on_progress is not None:
                on_progress(coordinator.progress())
            if onlooker is not None:
                onlooker.standing(coordinator.standing())
    except BaseException as error:
        failed_s = coordinator.elapsed_s()
        with held_back():
            with contextlib.suppress(Exception):  # whatever else goes wrong now, the first error is the one to tell
                coordinator.give_up(error)
            kept = coordinator.outcome()
            kept.facts["failed_s"] = failed_s
            vars(error)[_OUTCOME] = kept
        raise
    finally:
        aside.close()
        coordinator.close()
    return coordinator.outcome()


def outcome_so_far(error: BaseException) -> Outcome | None:
    """What had happened when `replay` raised this, or an error that this one came on top of; None where it did not
    come that far."""
    seen: BaseException | None = error
    while seen is not None:
        outcome = vars(seen).get(_OUTCOME)
        if isinstance(outcome, Outcome):
            return outcome
        seen = seen.__context__
    return None


def _tell_nobody(_phase: str) -> None:
    """In place of an onlooker."""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection, and short turns for other threads, while it matters when a thing is done."""
    collecting, interval_s = gc.isenabled(), sys.getswitchinterval()
    gc.collect()
    gc.disable()
    sys.setswitchinterval(5e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
        if collecting:
            gc.enable()
