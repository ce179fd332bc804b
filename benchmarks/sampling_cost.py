"""What the samples of the fidelity checks cost a run: processor time of reading them, and of counting in the actors.

As root: `.venv/bin/python benchmarks/sampling_cost.py [EXPERIMENT] [--set FIELD=VALUE] [--scheduler NAME]`.
In percent of one processor over the replay: what the coordinator's sampling thread used (`sampling_cpu_s`: ports,
queues, processors, taps), and the timers that the actors counted, times what it costs to count one here.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from testbed.actor.lateness import Lateness
from testbed.display import Display
from testbed.planning import make_plans
from testbed.records.run_directory import read_run
from testbed.runner import docker, run_emulated
from testbed.spec.reader import load_experiment

NOTES = 1_000_000


def note_s() -> float:
    """Processor time of counting one timer."""
    lateness = Lateness()
    began = time.process_time()
    for late_ns in range(0, NOTES * 100, 100):
        lateness.note(late_ns)
    return (time.process_time() - began) / NOTES


@click.command()
@click.argument("experiment", default="experiments/quickstart.yml")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE")
@click.option("--scheduler", default="fair")
@click.option("--repeats", default=2)
def main(experiment: str, overrides: tuple[str, ...], scheduler: str, repeats: int) -> None:
    plan = next(make_plans(load_experiment(Path(experiment), [*overrides, f"scheduler={scheduler}"])))
    display = Display(Console(stderr=True, quiet=True))
    each_s = note_s()
    click.echo(
        f"{'replay s':>8}{'ports':>7}{'frames':>8}{'sampling %':>12}{'timers':>9}{'counting %':>12}{'together %':>12}"
    )
    with tempfile.TemporaryDirectory() as folder, docker(display):
        for _ in range(repeats):
            run = read_run(run_emulated(plan, Path(folder), display))
            replay_s = float(run.samples["ports"]["at_s"].max())
            timers = int(run.samples["lateness"]["timers"].sum())
            sampling, counting = run.facts["sampling_cpu_s"] / replay_s, timers * each_s / replay_s
            click.echo(
                f"{replay_s:>8.1f}{len(plan.fabric.links):>7}{len(run.samples['departures']):>8}{sampling:>12.2%}"
                f"{timers:>9}{counting:>12.3%}{sampling + counting:>12.2%}"
            )


if __name__ == "__main__":
    main()
