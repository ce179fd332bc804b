"""The event engine: seconds, events and nanoseconds per event, for each scheduler.

`.venv/bin/python benchmarks/simulator.py TRACE [--scheduler NAME]...`   the whole trace, 128 MB/s a port, exact
`.venv/bin/python benchmarks/simulator.py --growth FOLDER [--most FLOWS]`   how time grows with flows, coflows and ports

Seconds are of processor time, on one core; machine code is compiled, and loaded, before. With --growth, the figures
go to FOLDER/growth.csv and FOLDER/growth.png, and the slopes (exponents, by least squares on logarithms) are printed.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from testbed.coflow import CoflowTable, FlowTable
from testbed.completion import coflow_finish_s
from testbed.plan import Plan, SchedulerSetting
from testbed.planning import make_plans
from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch, big_switch_plan
from testbed.spec.reader import load_experiment

SETTINGS = (
    SchedulerSetting("fair"),
    SchedulerSetting("fair-coflowsim"),
    SchedulerSetting("sebf"),
    SchedulerSetting("sebf", {"order": "static"}),
    SchedulerSetting("bssi"),
    SchedulerSetting("srpt"),
    SchedulerSetting("dclas", {"sharing": "strict"}),
    SchedulerSetting("dclas"),
    SchedulerSetting("fifo"),
    SchedulerSetting("scf"),
    SchedulerSetting("ncf"),
    SchedulerSetting("lcf"),
    SchedulerSetting("wss"),
)

GROWING = ("fair", "sebf", "dclas", "srpt")
PORT_Bps = 128e6
LOAD = 0.7

EXPERIMENT = """
topology: {{kind: big-switch, ports: 150, link: {{goodput: 128 MB/s}}}}
workload: {{kind: trace, file: {trace}, megabyte: 1 MB}}
schedulers: [fair]
backends: [simulation]
"""


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds: float
    events: int
    mean_cct_s: float

    @property
    def per_event_ns(self) -> float:
        """Nanoseconds per event."""
        return self.seconds / max(self.events, 1) * 1e9


def measure(plan: Plan) -> Measured:
    """Run a plan, the machine code having been loaded by a small run before."""
    warm_up(plan.scheduler)
    begin = time.process_time()
    outcome = simulate(plan)
    seconds = time.process_time() - begin
    cct_s = coflow_finish_s(plan.coflows, plan.flows, outcome.finish_s) - outcome.coflow_arrival_s
    return Measured(seconds, outcome.facts["events"], float(np.nanmean(cct_s)))


def warm_up(scheduler: SchedulerSetting) -> None:
    """Load (or compile) what the scheduler needs."""
    jobs = [Job({(i % 40, (i // 40 + c) % 40): 10_000 + i for i in range(600)}, arrival_s=c / 10) for c in range(2)]
    simulate(big_switch_plan(jobs, scheduler.name, scheduler.parameters, capacity_Bps=1e6))
    simulate(big_switch_plan(jobs * 10, scheduler.name, scheduler.parameters, capacity_Bps=1e6))


def trace_plan(trace: Path) -> Plan:
    """The whole trace on a switch of 150 ports of 128 MB/s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.yml"
        path.write_text(EXPERIMENT.format(trace=trace.resolve()))
        return next(iter(make_plans(load_experiment(path))))


def random_plan(coflows: int, width: int, ports: int, seed: int = 1) -> Plan:
    """Coflows of about `width` flows between random ports, sizes log-normal, arriving so that the ports are loaded."""
    random = np.random.default_rng((seed, coflows, width, ports))
    widths = np.maximum(1, np.round(random.lognormal(-0.5, 1.0, coflows) * width)).astype(np.int64)
    coflow = np.repeat(np.arange(coflows), widths)
    n = len(coflow)
    src, dst = random.integers(ports, size=n), random.integers(ports, size=n)
    size = np.round(random.lognormal(15, 1.5, n)).astype(np.int64) + 1
    span_s = size.sum() / (ports * PORT_Bps) / LOAD
    arrival_s = np.sort(random.random(coflows)) * span_s
    path_ptr, path_links = np.arange(0, 2 * n + 1, 2), np.column_stack((src, ports + dst)).ravel()
    return replace(
        big_switch_plan([]),
        fabric=big_switch(ports, PORT_Bps),
        coflows=CoflowTable(np.arange(coflows), arrival_s, np.ones(coflows), np.full(coflows, np.nan)),
        flows=FlowTable(
            coflow, coflow.copy(), src, dst, size, arrival_s[coflow], np.full(n, -1), path_ptr, path_links
        ),
    )  # fmt: skip


def growth(most_flows: int) -> Iterator[tuple[str, int, Plan]]:
    """(what grows, how much of it, plan): flows by wider coflows, flows by more coflows, and ports."""
    for flows in (10**k for k in range(2, 7)):
        if flows <= most_flows:
            yield "flows, 100 coflows", flows, random_plan(100, max(1, flows // 100), 150)
            yield "coflows, 20 flows each", flows, random_plan(max(1, flows // 20), 20, 150)
    for ports in (10, 100, 1000, 10_000):
        yield "ports, 20000 flows", ports, random_plan(200, 100, ports)


def report_growth(folder: Path, most_flows: int) -> None:
    """Measure, write the figures, plot them, print the slopes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for what, amount, plan in growth(most_flows):
        for name in GROWING:
            measured = measure(plan.with_scheduler(SchedulerSetting(name)))
            rows.append(
                {
                    "grows": what, "scheduler": name, "amount": amount, "flows": len(plan.flows),
                    "coflows": len(plan.coflows), "ports": len(plan.fabric.hosts), "seconds": measured.seconds,
                    "events": measured.events, "per_event_ns": measured.per_event_ns,
                }
            )  # fmt: skip
            print(f"{what:24} {amount:>8} {name:8} {measured.seconds:9.3f} s {measured.events:>9} events", flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "growth.csv", index=False)
    plot(table, folder / "growth.png")


def plot(table: pd.DataFrame, path: Path) -> None:
    """One panel per thing that grows, both axes logarithmic; the slopes are printed and stand in the legend."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = list(dict.fromkeys(table["grows"]))
    figure, panels = pyplot.subplots(1, len(kinds), figsize=(4 * len(kinds), 3.5), sharey=True)
    for kind, axes in zip(kinds, np.atleast_1d(panels), strict=True):
        for name in GROWING:
            part = table[(table["grows"] == kind) & (table["scheduler"] == name)]
            upper = part[part["seconds"] > 0.01]  # below that, a run's fixed costs are what is measured
            slope = np.nan
            if len(upper) > 1:
                slope = float(np.polyfit(np.log(upper["amount"]), np.log(upper["seconds"]), 1)[0])
            print(f"slope: {kind}: {name}: {slope:.2f}")
            axes.loglog(part["amount"], part["seconds"], marker="o", label=f"{name}, slope {slope:.2f}")
        axes.set_xlabel(kind)
        axes.legend(fontsize=7)
    np.atleast_1d(panels)[0].set_ylabel("processor time (s)")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path, nargs="?")
    parser.add_argument("--scheduler", action="append", help="only this one; may be given again")
    parser.add_argument("--growth", type=Path, metavar="FOLDER")
    parser.add_argument("--most", type=int, default=10**6, metavar="FLOWS")
    arguments = parser.parse_args()
    if arguments.growth is not None:
        report_growth(arguments.growth, arguments.most)
    if arguments.trace is None:
        return
    plan = trace_plan(arguments.trace)
    print(f"{len(plan.coflows)} coflows, {len(plan.flows)} flows")
    print(f"{'scheduler':32} {'mean CCT s':>10} {'seconds':>8} {'events':>8} {'ns/event':>9} {'peak MB':>8}")
    for setting in SETTINGS:
        if arguments.scheduler and setting.name not in arguments.scheduler:
            continue
        measured = measure(plan.with_scheduler(setting))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(
            f"{setting.title:32} {measured.mean_cct_s:>10.3f} {measured.seconds:>8.2f} {measured.events:>8} "
            f"{measured.per_event_ns:>9.0f} {peak:>8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
