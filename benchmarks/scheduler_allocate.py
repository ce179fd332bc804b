"""One call of each scheduler: 1,000 active coflows, 100,000 active flows, a switch of 150 ports.

`.venv/bin/python benchmarks/scheduler_allocate.py [--coflows N] [--flows N] [--ports N] [--calls N]`

Milliseconds of wall time, machine code loaded before: the least and the median of the calls; and of making the view.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from simulator import random_plan

from testbed.scheduling import registry
from testbed.scheduling.view import ViewBuilder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coflows", type=int, default=1000)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--ports", type=int, default=150)
    parser.add_argument("--calls", type=int, default=20)
    arguments = parser.parse_args()
    plan = random_plan(arguments.coflows, arguments.flows // arguments.coflows, arguments.ports)
    n = len(plan.flows)
    received = plan.flows.bytes * np.random.default_rng(1).random(n) * 0.9
    print(f"{len(plan.coflows)} coflows, {n} flows, {arguments.ports} ports")
    print(f"{'scheduler':24} {'least ms':>9} {'median ms':>10} {'view ms':>8}")
    for name in registry.known():
        scheduler = registry.make(name, {})
        builder = ViewBuilder(plan, scheduler)
        took: dict[str, list[float]] = {"view": [], "call": []}
        for _ in range(arguments.calls + 1):  # the first loads the machine code
            begin = time.perf_counter()
            view = builder.build(1e4, np.arange(n), received, np.ones(n, dtype=np.bool_), plan.coflows.arrival_s)
            middle = time.perf_counter()
            scheduler.allocate(view)
            took["view"].append((middle - begin) * 1e3)
            took["call"].append((time.perf_counter() - middle) * 1e3)
        calls = took["call"][1:]
        print(f"{name:24} {min(calls):>9.2f} {np.median(calls):>10.2f} {np.median(took['view'][1:]):>8.2f}", flush=True)


if __name__ == "__main__":
    main()
