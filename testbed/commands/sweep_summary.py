"""What `testbed sweep` prints: its plan before, its table after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from testbed.analysis.sweep_table import SweepTable
from testbed.analysis.tables import plain_seconds, print_table, records, result_console
from testbed.commands.plan_summary import counted
from testbed.records.files import to_json
from testbed.records.sweep_folder import SweepFolder
from testbed.sweep.execution import Agenda
from testbed.units import format_time


def in_one_line(agenda: Agenda, workers: int) -> str:
    """'40 runs, 12 of them finished; 28 simulated to go, about 2 min 5 s (from 12 finished runs)'."""
    text = counted(len(agenda.runs), "run")
    if agenda.took_s:
        text += f", {len(agenda.took_s)} of them finished"
    left = [(len(agenda.left_on(source)), word) for source, word in _WORDS]
    to_go = " and ".join(f"{number} {word}" for number, word in left if number)
    if not to_go:
        return f"{text}; nothing is left to run"
    expected = agenda.estimate(workers)
    return f"{text}; {to_go} to go, about {format_time(expected.seconds)} ({expected.basis})"


_WORDS = (("simulation", "simulated"), ("emulation", "emulated"))


def show_plan(agenda: Agenda, folder: SweepFolder, workers: int, as_json: bool) -> None:
    """Print every run, whether it is finished, and how long the others will take."""
    if as_json:
        expected = agenda.estimate(workers)
        runs = [{**run.document(), "flows": run.flows, "finished": run.name in agenda.took_s} for run in agenda.runs]
        click.echo(to_json({
            "folder": str(folder.path), "runs": runs, "left": len(agenda.left),
            "estimate_s": expected.seconds, "estimate_basis": expected.basis,
        }))  # fmt: skip
        return
    varied = [name for name in agenda.runs[0].values if name not in ("scheduler", "seed")]
    table = Table(title_justify="left")
    for heading in (*varied, "scheduler", "source"):
        table.add_column(heading, no_wrap=True)
    for heading in ("repeat", "seed", "flows"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for run in agenda.runs:
        cells = [*(str(run.values[name]) for name in varied), run.scheduler.title, run.source]
        cells += [str(run.repeat), str(run.seed), str(run.flows), "finished" if run.name in agenda.took_s else "to go"]
        table.add_row(*(Text(cell) for cell in cells))
    print_table(result_console(), table)
    click.echo(f"{folder.path}: {in_one_line(agenda, workers)}")


def show_results(table: SweepTable, written: list[Path], failed: dict[str, str], as_json: bool) -> None:
    """Print one row per finished run, the runs that failed, and where the files are."""
    if as_json:
        click.echo(to_json({
            "experiment": table.experiment, "runs": records(table.frame), "failed": failed,
            "files": [str(path) for path in written],
        }))  # fmt: skip
        return
    shown = Table(title_justify="left")
    for heading in (*table.varied, "scheduler", "source"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("repeat", "seed", "coflows", "mean s", "median s", "p95 s"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for row in table.frame.to_dict("records"):
        shown.add_row(*(Text(cell) for cell in _cells(row, table.varied)))
    print_table(result_console(), shown)
    for name, error in failed.items():
        click.echo(f"failed: {name}: {error}")
    click.echo(f"{counted(len(table.frame), 'run')}; table and plots in {written[0].parent}")


def _cells(row: dict[Any, Any], varied: tuple[str, ...]) -> list[str]:
    unfinished = f" (+{row['unfinished']} unfinished)" if row["unfinished"] else ""
    return [
        *(str(row[name]) for name in varied),
        *(str(row[name]) for name in ("scheduler", "source", "repeat", "seed")),
        f"{row['coflows']}{unfinished}",
        *(plain_seconds(row[name]) for name in ("mean_s", "median_s", "p95_s")),
        str(row["verdict"]),
    ]
