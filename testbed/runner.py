"""One plan on one back end: the run directory first, records always, the verdict last."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.coflow import Floats
from testbed.display import Display
from testbed.errors import RecordsError
from testbed.fidelity.verdict import Verdict
from testbed.interrupts import held_back
from testbed.outcome import Outcome
from testbed.plan import ApplicationSetting, Plan, read_plan
from testbed.records.run_directory import RunDirectory, create
from testbed.scheduling.gammas import lone_gammas

if TYPE_CHECKING:
    from testbed.watch.watch import Watch


def run_simulated(
    plan: Plan,
    results: Path,
    display: Display,
    *,
    arguments: Sequence[str] = (),
    resolution_s: float = 0.0,
    name: str | None = None,
) -> Path:
    """Simulate a plan; returns its run directory, complete. `name`: of the directory, else one with the time."""
    from testbed.simulation.engine import simulate

    directory = create(results, plan, "simulation", arguments=arguments, name=name)
    display.say(f"simulating {_title(plan)}: {directory.path}")
    outcome = simulate(plan, resolution_s=resolution_s)
    verdict = directory.write_outcome(outcome, lone_gammas(plan))
    _say_verdict(directory, verdict, display)
    return directory.path


def report_folder(results: Path, plan: Plan) -> Path:
    """Where the plots of the runs of one command go: apart from the runs, so that `results/*` is runs."""
    return results / "reports" / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{plan.experiment}"


@contextmanager
def docker(display: Display) -> Iterator[None]:
    """Keep a Docker daemon running for the block, started only where none runs, so that the runs inside share one."""
    from testbed.emulation.docker_service import docker_daemon

    with docker_daemon("testbed run", display.detail):
        yield


def run_emulated(
    plan: Plan,
    results: Path,
    display: Display,
    *,
    arguments: Sequence[str] = (),
    name: str | None = None,
    watch: Watch | None = None,
) -> Path:
    """Emulate a plan as root; returns its run directory, complete. `name`: of the directory, else one with the time.

    Where the run fails or is interrupted, what had happened is written all the same before the error goes on. `watch`
    is told of the run while it goes.
    """
    from testbed.emulation.session import emulate
    from testbed.replay.replay import outcome_so_far

    directory = create(results, plan, "emulation", arguments=arguments, name=name)
    run_id = f"{datetime.now(timezone.utc):%H%M%S}-{secrets.token_hex(3)}"
    display.say(f"emulating {_title(plan)}: {directory.path}")
    gammas = lone_gammas(plan)
    onlooker = watch.run(plan, gammas) if watch is not None else None

    def say(text: str) -> None:
        display.detail(text)
        if onlooker is not None:
            onlooker.say(text)

    try:
        with display.live(_title(plan)):
            outcome = emulate(plan, run_id, directory.logs, say=say, on_progress=display.progress, onlooker=onlooker)
    except BaseException as error:
        kept = outcome_so_far(error)
        if kept is not None:
            kept.facts["error"] = str(error) or type(error).__name__
            _keep(directory, kept, gammas, display)
        if onlooker is not None:
            onlooker.failed(error)
        raise
    with held_back(display.detail):
        verdict = directory.write_outcome(outcome, lone_gammas(outcome.plan) if outcome.plan else gammas)
    if onlooker is not None:
        onlooker.ended(verdict, directory.path)
    _say_verdict(directory, verdict, display)
    return directory.path


def _keep(directory: RunDirectory, outcome: Outcome, gammas: Floats, display: Display) -> None:
    """Write what had happened before a run failed; should that fail too, the run's own error is still the one told."""
    try:
        with held_back(display.detail):
            directory.write_outcome(outcome, lone_gammas(outcome.plan) if outcome.plan else gammas)
    except RecordsError as error:
        display.say(f"the records so far are lost: {error}")
    else:
        display.say(f"the records so far are in {directory.path}")


def what_was_done(directory: Path) -> Plan:
    """The plan of a run with the flows that its applications sent, at their instants, in the applications' place."""
    return replace(read_plan(directory), applications=ApplicationSetting())


def _title(plan: Plan) -> str:
    return f"{plan.scheduler.title}, repeat {plan.repeat}"


def _say_verdict(directory: RunDirectory, verdict: Verdict, display: Display) -> None:
    display.detail(f"verdict: {verdict.verdict}")
    for check in verdict.failed:
        display.detail(f"{check}; {check.words}")
