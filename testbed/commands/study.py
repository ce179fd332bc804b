"""`testbed study`: all sweeps of a folder, one after the other, and one report of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testbed.commands.experiment_options import again_option, force_option

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from testbed.analysis.study.report import StudyReport
    from testbed.display import Display
    from testbed.records.study_folder import StudyFolder
    from testbed.sweep.study import Study

_PATH = click.Path(path_type=Path)
DEFAULT = Path("experiments/unlabelled")


@click.command()
@click.argument("folder", type=_PATH, default=DEFAULT)
@click.option("--out", type=_PATH, help="Folder of the study; default: results/studies/NAME.")
@click.option(
    "--dry-run", is_flag=True, help="Print the plan and how long each part will take; start and write nothing."
)
@click.option(
    "--backends",
    type=click.Choice(["both", "simulation", "emulation"]),
    default="both",
    help="Which runs to make; default: both as root, else simulation.",
)
@click.option("--trace", type=_PATH, help="The trace file for the sweeps of a trace.")
@force_option
@again_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes that simulate; default: one per core.")
def command(
    folder: Path,
    out: Path | None,
    dry_run: bool,
    backends: str,
    trace: Path | None,
    force: bool,
    again: tuple[str, ...],
    workers: int | None,
) -> int:
    """Make every run of every sweep in FOLDER (default: experiments/unlabelled), then report.html with all figures.

    Finished runs are kept: the same command goes on where an earlier one ended. A run that fails or is invalid is
    reported and holds up no other. Ends with 1 if a run failed, with 3 if one is invalid.
    """
    from testbed.display import Display
    from testbed.records.study_folder import StudyFolder
    from testbed.sweep.study import read_study

    study = read_study(folder, trace)
    place = StudyFolder(out or Path("results/studies") / study.name)
    processes = workers or len(os.sched_getaffinity(0))
    sources = ("emulation", "simulation") if backends == "both" else (backends,)
    if backends == "both" and os.geteuid() != 0:
        sources = ("simulation",)
    display = Display()
    for line in _plan_lines(study, place, sources, again, processes):
        click.echo(line) if dry_run else display.say(line)
    if dry_run:
        return 0
    failed = _run(study, place, sources, again, processes, display, force)
    return _results(place, failed)


def _plan_lines(
    study: Study, folder: StudyFolder, sources: Sequence[str], again: Collection[str], workers: int
) -> list[str]:
    from testbed.commands.sweep_summary import in_one_line
    from testbed.units import format_time

    lines, seconds, emulated_s = [], 0.0, 0.0
    for sweep in study.sweeps:
        agenda = sweep.agenda(folder, sources, again)
        lines.append(f"{sweep.experiment.name}: {in_one_line(agenda, workers)}")
        seconds += agenda.estimate(workers).seconds
        emulated_s += agenda.estimate(workers, "emulation").seconds if "emulation" in sources else 0.0
    lines += [f"{name}: left out: {why}" for name, why in study.left_out.items()]
    if "emulation" not in sources and any(run.source == "emulation" for s in study.sweeps for run in s.runs):
        why = "" if os.geteuid() == 0 else ": that needs root"
        lines.append(f"nothing is emulated{why}; emulated runs that are finished are in the report all the same")
    emulated = f", of it {format_time(emulated_s)} emulated" if emulated_s else ""
    return [*lines, f"{folder.path}: about {format_time(seconds)} in all{emulated}"]


def _run(
    study: Study,
    folder: StudyFolder,
    sources: Sequence[str],
    again: Collection[str],
    workers: int,
    display: Display,
    force: bool,
) -> dict[str, str]:
    """Make what is left of every sweep; returns the runs that failed."""
    from testbed.sweep.execution import carry_out

    folder.write(study.document())
    failed: dict[str, str] = {}
    for sweep in study.sweeps:
        name = sweep.experiment.name
        with folder.sweep(name).held():
            agenda = sweep.agenda(folder, sources, again)
            if agenda.left:
                display.say(f"{name}: {len(agenda.left)} runs to go")
            failed |= carry_out(
                sweep.experiment, agenda, folder.sweep(name), display, workers=workers, arguments=sys.argv, force=force
            )
    return failed


def _results(folder: StudyFolder, failed: dict[str, str]) -> int:
    """Write the report and say what it says; returns the exit status."""
    from testbed.analysis.study.report import write_study_report

    report = write_study_report(folder.path)
    _say(report)
    for name, why in failed.items():
        click.echo(f"failed: {name}: {why}")
    click.echo(f"{len(report.figures)} figures in {folder.figures}, {len(report.tables)} tables in {folder.tables}")
    click.echo(f"report: {report.page}")
    if failed:
        return 1
    return 3 if report.invalid else 0


def _say(report: StudyReport) -> None:
    for title, sentences in (
        ("found", report.summary.found),
        ("deviates", report.summary.deviates),
        ("not measured", report.summary.missing),
    ):
        for text in sentences:
            click.echo(f"{title}: {text}")
