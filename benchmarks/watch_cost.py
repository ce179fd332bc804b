"""What the live view costs a run: processor time with and without it, one reader of the page's events connected.

As root: `.venv/bin/python benchmarks/watch_cost.py [EXPERIMENT] [--set FIELD=VALUE] [--scheduler sebf] [--repeats 2]`.
Runs alternate, without and with the view. In percent of one processor over the replay: the coordinator's process, the
view's server, and all of the run's own processes together (coordinator, controller, switch daemon, first processes of
the hosts, server). The reader is a process of its own that throws everything away: a browser costs what it draws.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import click
from rich.console import Console

from testbed.display import Display
from testbed.emulation.processors import TICKS_PER_S
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.records.run_directory import read_run
from testbed.runner import docker, run_emulated
from testbed.spec.reader import load_experiment
from testbed.watch.watch import Watch, watching

READER = "import sys, urllib.request\nfor _ in urllib.request.urlopen(sys.argv[1] + 'events'): pass"


@dataclass
class Cost:
    """Of one run, in percent of one processor."""

    verdict: str
    replay_s: float
    coordinator: float
    server: float
    own: float


@contextlib.contextmanager
def read_by_one(watch: Watch) -> Iterator[None]:
    """A reader of the events beside the block."""
    with subprocess.Popen([sys.executable, "-c", READER, watch.url]) as reader:
        try:
            yield
        finally:
            reader.terminate()


def server_s(watch: Watch | None) -> float:
    """Processor time of the server so far."""
    if watch is None:
        return 0.0
    fields = Path(f"/proc/{watch.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(plan: Plan, folder: Path, display: Display, watch: Watch | None) -> Cost:
    """One run. The server is charged with all it did from the bring-up on, over the seconds of the replay alone."""
    before_s = server_s(watch)
    directory = run_emulated(plan, folder, display, watch=watch)
    spent_s = server_s(watch) - before_s
    run = read_run(directory)
    cpu = run.samples["cpu"]
    mine = cpu[cpu["host"] == "coordinator"]
    took_s = float(mine["at_s"].iloc[-1] - mine["at_s"].iloc[0])
    return Cost(
        run.fidelity.verdict,
        took_s,
        100 * float(mine["cpu_s"].iloc[-1] - mine["cpu_s"].iloc[0]) / took_s,
        100 * spent_s / took_s,
        100 * (os.cpu_count() or 1) * float(run.samples["processors"]["own"].mean()),
    )


@click.command()
@click.argument("experiment", default="experiments/quickstart.yml")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE")
@click.option("--scheduler", default="sebf", show_default=True)
@click.option("--repeats", default=2, show_default=True)
def main(experiment: str, overrides: tuple[str, ...], scheduler: str, repeats: int) -> None:
    """Run without and with the view, in turn, and print what each run cost."""
    plan = next(make_plans(load_experiment(Path(experiment), [*overrides, f"scheduler={scheduler}"])))
    display = Display(Console(stderr=True, quiet=True))
    found: dict[str, list[Cost]] = {"without": [], "with": []}
    click.echo(f"{'view':<9}{'replay s':>9}{'coordinator %':>15}{'server %':>10}{'all own %':>11}  verdict")
    with tempfile.TemporaryDirectory() as folder, docker(display):
        for _ in range(repeats):
            for name, costs in found.items():
                with contextlib.ExitStack() as stack:
                    watch = None
                    if name == "with":
                        watch = stack.enter_context(watching(0, 1, lambda _: None))
                        stack.enter_context(read_by_one(watch))
                    cost = measure(plan, Path(folder), display, watch)
                costs.append(cost)
                figures = f"{cost.replay_s:>9.1f}{cost.coordinator:>15.2f}{cost.server:>10.2f}{cost.own:>11.1f}"
                click.echo(f"{name:<9}{figures}  {cost.verdict}")
    rise = mean(c.coordinator for c in found["with"]) - mean(c.coordinator for c in found["without"])
    cost_percent = rise + mean(c.server for c in found["with"])
    click.echo(f"the view costs {cost_percent:.2f} % of one processor: coordinator {rise:+.2f}, server the rest")


if __name__ == "__main__":
    main()
