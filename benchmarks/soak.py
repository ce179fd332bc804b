"""Many runs one after another in one process, as a sweep makes them: does anything grow from run to run?

Run as root: `make soak`, or .venv/bin/python benchmarks/soak.py [--runs 200 | --hours 8] [--out results/soak]
After each run all that could grow is counted (`soak_measures.py`) and written to soak.csv; at the end come a table of
slopes, the first runs left out, and soak.png. Ends with 1 if anything grows. The runs' own folders are removed.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from soak_measures import ALLOWED, take

from testbed.analysis.plot_style import new_figure, styled
from testbed.display import Display
from testbed.interrupts import end_in_order
from testbed.planning import make_plans
from testbed.runner import docker, run_emulated
from testbed.spec.reader import load_experiment

WARM_UP = 10
"""Runs that are left out of the slopes: caches fill, and libraries are loaded when they are first used."""
EXPERIMENT = """
topology:
  kind: fat-tree
  k: 4
  link: {rate: 20 Mbit/s, mtu: 9000, buffer: 128 KB, queueing: per-flow}
  tcp: {rto_min: 200 ms}
  datapath: router
workload: {kind: synthetic, coflows: 40, load: 0.9, seed: 8, max_width: 24, size_scale: 0.003, min_bytes: 100 KB,
           max_bytes: 2 MB}
schedulers: [sebf]
backends: [emulation]
"""
"""The quickstart with flows a thirtieth as large, on routers."""


@dataclass(frozen=True)
class Trend:
    """How one figure went over the runs that count."""

    name: str
    first: float
    last: float
    per_100_runs: float
    """Slope of the straight line through them."""

    @property
    def grows(self) -> bool:
        """Whether it grew by more than counts as none, by the slope and by its last value as well as its first."""
        return self.per_100_runs > ALLOWED[self.name] and self.last > self.first


def trends(rows: list[dict[str, float]]) -> list[Trend]:
    """A trend for each figure, without the runs that warm up (of few runs: without the first)."""
    kept = rows[min(WARM_UP, len(rows) // 2) :]
    found = []
    for name in ALLOWED:
        values = np.array([row[name] for row in kept])
        slope = float(np.polyfit(np.arange(len(values)), values, 1)[0]) if len(values) > 1 else 0.0
        found.append(Trend(name, values[0], values[-1], 100 * slope))
    return found


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """A small panel for each figure over the runs."""
    with styled():
        figure = new_figure(7.2, 7.2)
        for place, name in enumerate(ALLOWED, start=1):
            axes = figure.add_subplot(-(-len(ALLOWED) // 3), 3, place)
            values = [row[name] for row in rows]
            axes.plot(range(1, len(values) + 1), values, linewidth=1)
            axes.set_title(name, fontsize=7)
            axes.set_ylim(0, max(*values, 1) * 1.15)
            axes.tick_params(labelsize=6)
        figure.savefig(path, dpi=150)


def soak(runs: int, end_s: float, out: Path) -> list[dict[str, float]]:
    """Make the runs, a row of figures after each; rows are in soak.csv as they come."""
    rows: list[dict[str, float]] = []
    spec = out / "soak.yml"
    spec.write_text(EXPERIMENT)
    experiment = load_experiment(spec)
    display = Display(Console(quiet=True))
    with (out / "soak.csv").open("w", newline="") as file, docker(display):
        writer = csv.DictWriter(file, ["run", "took_s", *ALLOWED])
        writer.writeheader()
        while len(rows) < runs and time.monotonic() < end_s:
            (plan,) = make_plans(experiment, seed=1 + len(rows))
            began = time.monotonic()
            folder = run_emulated(plan, out / "runs", display)
            took_s = time.monotonic() - began
            shutil.rmtree(folder)
            rows.append({"run": len(rows) + 1, "took_s": round(took_s, 2), **take()})
            writer.writerow(rows[-1])
            file.flush()
            if len(rows) % 10 == 0 or len(rows) <= 3:
                click.echo(f"{len(rows)} runs, the last took {took_s:.1f} s, {rows[-1]['memory, MB']:.0f} MB")
    return rows


@click.command()
@click.option("--runs", default=200, show_default=True, type=click.IntRange(min=2))
@click.option("--hours", type=float, help="Go on for so long instead.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/soak"), show_default=True)
def main(runs: int, hours: float | None, out: Path) -> None:
    """Make runs, count, and say what grows."""
    end_in_order()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coflow-soak-") as scratch:
        tempfile.tempdir = scratch  # what the runs leave there is counted
        end_s = float("inf") if hours is None else time.monotonic() + 3600 * hours
        rows = soak(runs if hours is None else 10**9, end_s, out)
    plot(rows, out / "soak.png")
    found = trends(rows)
    click.echo(f"\n{len(rows)} runs in {sum(row['took_s'] for row in rows) / 60:.1f} minutes; the first "
               f"{min(WARM_UP, len(rows) // 2)} left out:")  # fmt: skip
    click.echo(f"{'':<28}{'first':>10}{'last':>10}{'per 100 runs':>14}{'allowed':>9}")
    for trend in found:
        figures = f"{trend.first:>10.1f}{trend.last:>10.1f}{trend.per_100_runs:>14.2f}{ALLOWED[trend.name]:>9g}"
        click.echo(f"{trend.name:<28}{figures}{'  GROWS' if trend.grows else ''}")
    growing = [trend.name for trend in found if trend.grows]
    click.echo("verdict: " + (f"grows: {', '.join(growing)}" if growing else "nothing grows"))
    sys.exit(1 if growing else 0)


if __name__ == "__main__":
    main()
