"""`testbed sweep`: every combination of what an experiment varies, as runs that can be broken off and gone on with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from testbed.commands.experiment_options import again_option, chosen_sweep, experiment_options, force_option

if TYPE_CHECKING:
    from testbed.records.sweep_folder import SweepFolder
    from testbed.spec.reader import Experiment
    from testbed.sweep.execution import Agenda


@click.command()
@experiment_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep; default: results/sweeps/EXPERIMENT.")
@click.option("--dry-run", is_flag=True, help="Print the plan and how long it will take; start and write nothing.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that simulate; default: one per core.")
@force_option
@again_option
@click.option("--cluster", metavar="ADDRESS", help="Simulate on this Dask cluster, such as tcp://10.0.0.1:8786.")
def command(
    experiment: Path,
    scheduler: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
    dry_run: bool,
    force: bool,
    again: tuple[str, ...],
    workers: int | None,
    cluster: str | None,
) -> int:
    """Make every run of EXPERIMENT: each combination of the fields it varies, repeat, scheduler and back end.

    Finished runs in the folder are kept: the same command goes on where an earlier one ended. Simulations share the
    cores; emulations (as root) follow one another. Ends with 1 if a run failed, with 3 if one is invalid.
    """
    from testbed.commands.sweep_summary import show_plan
    from testbed.display import Display
    from testbed.records.run_directory import plain_name
    from testbed.records.sweep_folder import SweepFolder
    from testbed.sweep.execution import Agenda, carry_out
    from testbed.sweep.points import sweep_runs

    read = chosen_sweep(experiment, scheduler, seed, overrides)
    folder = SweepFolder(out or Path("results/sweeps") / plain_name(read.name))
    runs = sweep_runs(read, seed=seed)
    _refuse_another(folder, read)
    processes = workers or len(os.sched_getaffinity(0))
    if dry_run:
        show_plan(Agenda.of(runs, folder, again=again), folder, processes, as_json)
        return 0
    with folder.held():
        agenda = Agenda.of(runs, folder, again=again)
        display = Display()
        _say_plan(agenda, folder, processes, display.say)
        failed = carry_out(
            read,
            agenda,
            folder,
            display,
            workers=processes,
            seed=seed,
            cluster=cluster,
            arguments=sys.argv,
            force=force,
        )
        return _results(folder, failed, as_json)


def _refuse_another(folder: SweepFolder, experiment: Experiment) -> None:
    from testbed.errors import SpecError

    document = folder.read()
    if document is not None and document["experiment"] != experiment.name:
        raise SpecError(
            f"{folder.path}: holds the sweep of {document['experiment']!r}, not of {experiment.name!r}; name another "
            "folder with --out"
        )


def _say_plan(agenda: Agenda, folder: SweepFolder, workers: int, say: Any) -> None:
    from testbed.commands.sweep_summary import in_one_line

    say(f"{folder.path}: {in_one_line(agenda, workers)}")


def _results(folder: SweepFolder, failed: dict[str, str], as_json: bool) -> int:
    """Write table and plots and print them; returns the exit status."""
    from testbed.analysis.plot_sweep import write_sweep_plots
    from testbed.analysis.sweep_table import sweep_table
    from testbed.commands.sweep_summary import show_results
    from testbed.fidelity.verdict import INVALID

    if failed and not any(folder.is_finished(entry["run"]) for entry in (folder.read() or {})["runs"]):
        from testbed.errors import RecordsError

        raise RecordsError(f"{folder.path}: every run failed; the first: {next(iter(failed.values()))}")
    table = sweep_table(folder.path)
    written = [*table.write(folder.path), *write_sweep_plots(table, folder.plots)]
    show_results(table, written, failed, as_json)
    if failed:
        return 1
    return 3 if (table.frame["verdict"] == INVALID).any() else 0
