"""CoflowSim's semantics on a trace: seconds per scheduler, and what each approximation does to the mean CCT.

`.venv/bin/python benchmarks/coflowsim.py TRACE [--approximations] [--scheduler NAME]...`

Without --approximations: sum and mean of CCT in CoflowSim's ms, and seconds of processor time (compiled beforehand).
With it: the same schedulers in the exact engine, on ports of 131.072 MB/s (2^27 bytes per 1024 ms) with MB of 2^20
bytes, so that a second there is 1000 of CoflowSim's ms; first on the trace as it is, then with sizes rounded up, then
with every coflow arriving where CoflowSim starts it. What is left between that and CoflowSim is time in steps of 8 ms,
rates that change on coflow events only, and its own rules.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from testbed.planning import make_plans
from testbed.simulation.coflowsim import SCHEDULERS, run
from testbed.simulation.coflowsim_model import EPOCH_MS, MIB, build
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment
from testbed.workload.trace import Trace, TraceCoflow, read_trace, write_trace

LIKENESS = {
    "FAIR": "fair-coflowsim",
    "FIFO": "{name: fifo, rates: madd}",
    "SCF": "{name: lcf, rates: madd}",
    "NCF": "{name: ncf, rates: madd}",
    "LCF": "{name: scf, rates: madd}",
    "SEBF": "{name: sebf, order: static}",
    "DARK": "{name: dclas, sharing: strict, first_limit: 10 MiB}",
}
"""CoflowSim's name -> the testbed's nearest scheduler (its SCF goes by length, its LCF by bytes)."""

EXPERIMENT = """
topology: {{kind: big-switch, ports: {ports}, link: {{goodput: 131.072 MB/s}}}}
workload: {{kind: trace, file: trace.txt, megabyte: 1 MiB}}
schedulers: [{scheduler}]
backends: [simulation]
"""


def rounded(trace: Trace) -> Trace:
    """Every reducer rounded up to whole MB per mapper."""
    model = build(trace)
    sizes, first = model.reducer_bytes / MIB, model.first_reducer
    coflows = []
    for row, coflow in enumerate(sorted(trace.coflows, key=lambda coflow: coflow.arrival_s)):
        reducers = range(first[row], first[row + 1])
        coflows.append(replace(coflow, reducers=tuple((int(model.reducer_port[r]), float(sizes[r])) for r in reducers)))
    return replace(trace, coflows=tuple(coflows))


def started_early(trace: Trace) -> Trace:
    """Every coflow moved to the beginning of the epoch in which it arrives."""

    def early(coflow: TraceCoflow) -> TraceCoflow:
        epochs = int(np.ceil(round(coflow.arrival_s * 1000, 6) / EPOCH_MS)) - 1
        return replace(coflow, arrival_s=max(epochs, 0) * EPOCH_MS / 1000)

    return replace(trace, coflows=tuple(early(coflow) for coflow in trace.coflows))


def exact_mean_ms(trace: Trace, scheduler: str) -> float:
    """Mean CCT in the exact engine."""
    with tempfile.TemporaryDirectory() as folder:
        write_trace(trace, Path(folder) / "trace.txt")
        path = Path(folder) / "experiment.yml"
        path.write_text(EXPERIMENT.format(ports=trace.ports, scheduler=scheduler))
        plan = next(iter(make_plans(load_experiment(path, []))))
    outcome = simulate(plan)
    row = np.searchsorted(np.sort(plan.coflows.coflow), plan.flows.coflow)
    finish = np.zeros(len(plan.coflows))
    np.maximum.at(finish, np.argsort(plan.coflows.coflow)[row], outcome.finish_s)
    return float((finish - outcome.coflow_arrival_s).mean() * 1000)


def time_schedulers(trace: Trace, names: list[str]) -> None:
    """Print sum, mean and seconds of processor time."""
    small = Trace(trace.ports, trace.coflows[:1])
    print(f"{'scheduler':<10}{'sum ms':>12}{'mean ms':>10}{'seconds':>9}")
    for name in names:
        run(small, name)  # compiles
        began = time.process_time()
        figures = run(trace, name).figures()
        seconds = time.process_time() - began
        print(f"{name:<10}{figures['sum_ms']:>12.0f}{figures['mean_ms']:>10.0f}{seconds:>9.1f}", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def measure_approximations(trace: Trace, names: list[str]) -> None:
    """Print mean CCTs from the exact engine to CoflowSim."""
    stages = (trace, rounded(trace), started_early(rounded(trace)))
    print(f"{'scheduler':<10}{'exact':>10}{'+ rounded':>11}{'+ early':>10}{'coflowsim':>11}   mean CCT, ms")
    for name in [name for name in names if name in LIKENESS]:
        exact = [exact_mean_ms(stages[0], LIKENESS[name])]
        for before, stage in pairwise(stages):  # the public trace's sizes are rounded already
            exact.append(exact[-1] if stage == before else exact_mean_ms(stage, LIKENESS[name]))
        approximate = run(trace, name).figures()["mean_ms"]
        print(f"{name:<10}{exact[0]:>10.0f}{exact[1]:>11.0f}{exact[2]:>10.0f}{approximate:>11.0f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--scheduler", action="append", choices=SCHEDULERS, help="may be repeated; default: all")
    parser.add_argument("--approximations", action="store_true")
    chosen = parser.parse_args()
    (measure_approximations if chosen.approximations else time_schedulers)(
        read_trace(chosen.trace), chosen.scheduler or list(SCHEDULERS)
    )
