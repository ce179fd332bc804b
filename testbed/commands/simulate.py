"""`testbed simulate`: run an experiment in the flow-level simulator, whatever back ends it names."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from testbed.commands.experiment_options import chosen_single, experiment_options
from testbed.commands.report import show
from testbed.errors import SpecError


@click.command()
@experiment_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), help="Folder of the run directories.")
@click.option("--resolution", metavar="TIME", help="Re-allocate at most this often, '10 ms'; exact without it.")
def command(
    experiment: Path,
    scheduler: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path,
    resolution: str | None,
) -> int:
    """Simulate EXPERIMENT: the same plans and schedulers on a fluid network. Needs no root."""
    from testbed.display import Display
    from testbed.runner import report_folder, run_simulated
    from testbed.units import parse_time_s

    try:
        resolution_s = 0.0 if resolution is None else parse_time_s(resolution)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--resolution") from None
    plans = chosen_single(experiment, scheduler, seed, overrides)
    if any(plan.applications.programs for plan in plans):
        raise SpecError(
            f"{experiment}: its applications are real programs; `testbed run` emulates them, and with simulation among "
            "the backends simulates what they did"
        )
    display = Display()
    display.say(f"{experiment}: {len(plans)} simulated runs")
    directories = [run_simulated(plan, out, display, arguments=sys.argv, resolution_s=resolution_s) for plan in plans]
    return show(directories, report_folder(out, plans[0]), None, as_json)
