"""All runs of a sweep that are left: simulations in parallel, then emulations one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.admission import admitted
from testbed.display import Display
from testbed.errors import TestbedError
from testbed.records.run_directory import SOURCES
from testbed.records.sweep_folder import SweepFolder
from testbed.runner import docker, run_emulated
from testbed.spec.reader import Experiment
from testbed.sweep.document import sweep_document
from testbed.sweep.estimate import Estimate, estimate
from testbed.sweep.parallel import existing_cluster, local_cluster, simulate_all
from testbed.sweep.points import SweepRun
from testbed.sweep.progress import Progress

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Agenda:
    """What a sweep has done and what it has before it."""

    runs: Sequence[SweepRun]
    took_s: dict[str, float]
    """Name of each finished run that is kept -> seconds it took."""
    sources: Sequence[str] = SOURCES
    """Back ends that are to be run on; runs on others are neither left nor done."""

    @classmethod
    def of(
        cls,
        runs: Sequence[SweepRun],
        folder: SweepFolder,
        sources: Sequence[str] = SOURCES,
        again: Collection[str] = (),
    ) -> Agenda:
        """The agenda of these runs, as their folder tells it. `again`: verdicts of finished runs to be made again."""
        kept = [
            run.name
            for run in runs
            if folder.is_finished(run.name) and not (run.source in sources and folder.verdict(run.name) in again)
        ]
        return cls(runs, {name: folder.took_s(name) for name in kept}, sources)

    @property
    def left(self) -> list[SweepRun]:
        """Runs that are to be made, in order."""
        return [run for run in self.runs if run.name not in self.took_s and run.source in self.sources]

    def left_on(self, source: str) -> list[SweepRun]:
        """Those of one back end."""
        return [run for run in self.left if run.source == source]

    def estimate(self, workers: int, source: str | None = None) -> Estimate:
        """How long what is left will take, with so many processes; or what is left of one back end."""
        left = self.left if source is None else self.left_on(source)
        return estimate(left, self.took_s, self.runs, workers)


def carry_out(
    experiment: Experiment,
    agenda: Agenda,
    folder: SweepFolder,
    display: Display,
    *,
    workers: int,
    seed: int | None = None,
    cluster: str | None = None,
    arguments: Sequence[str] = (),
    force: bool = False,
) -> dict[str, str]:
    """Write what the sweep is, make the runs that are left, and write and return those that failed, name -> error.

    The folder is held by the caller.
    """
    document = sweep_document(experiment, agenda.runs, seed, arguments)
    folder.write(document)
    if not agenda.left:
        return {}
    try:
        failed = execute(agenda, folder, display, workers=workers, cluster=cluster, arguments=arguments, force=force)
    except KeyboardInterrupt:
        done = len(Agenda.of(agenda.runs, folder).took_s)
        display.say(f"{done} of {len(agenda.runs)} runs are finished and kept; the same command goes on from here")
        raise
    folder.write({**document, "failed": failed})
    return failed


def execute(
    agenda: Agenda,
    folder: SweepFolder,
    display: Display,
    *,
    workers: int,
    cluster: str | None = None,
    arguments: Sequence[str] = (),
    force: bool = False,
) -> dict[str, str]:
    """Make the runs that are left, in the folder; returns those that failed, name -> error.

    `workers`: processes for simulations on this machine, unused where `cluster` is the address of a Dask scheduler.
    `force`: emulate also what this machine cannot carry, which fails otherwise.
    """
    failed: dict[str, str] = {}
    if simulated := agenda.left_on("simulation"):
        progress = Progress(display, len(simulated), agenda.estimate(workers, "simulation").seconds)
        with display.live(progress.line()), _cluster(cluster, min(workers, len(simulated))) as client:
            simulate_all(simulated, folder, progress, client, arguments)
        failed |= progress.failed
    if emulated := agenda.left_on("emulation"):
        progress = Progress(display, len(emulated), agenda.estimate(1, "emulation").seconds)
        try:
            with docker(display):
                _emulate_all(emulated, folder, progress, arguments, force)
        except TestbedError as error:  # no Docker: none of them can run
            for run in emulated:
                progress.broke(run, error)
        failed |= progress.failed
    return failed


def _cluster(address: str | None, workers: int) -> AbstractContextManager[Client]:
    return local_cluster(workers) if address is None else existing_cluster(address)


def _emulate_all(
    runs: Sequence[SweepRun], folder: SweepFolder, progress: Progress, arguments: Sequence[str], force: bool
) -> None:
    for run in runs:
        try:
            plan = admitted(run.plan(), progress.display, force)
            folder.clear(run.name)
            run_emulated(plan, folder.runs, progress.display, arguments=arguments, name=run.name)
        except Exception as error:  # whatever it is, it is this run's: the others go on, and the sweep ends with 1
            progress.broke(run, error)
        else:
            progress.finished(run)
