"""Cases whose CCTs are known (worked examples, two bottlenecks, preemption), measured beside what is computed.

As root: `.venv/bin/python benchmarks/known_answers.py [--enforcement pacing queue] [--only worked-example-a ...]
[--repeats 3] [--datapath router] [--json]`. Computed is the exact fluid simulation of the same plan under the same
enforcement; measured is the median of the repeats. `queue` alone enforces order and sharing between classes: sebf's
rates are then not MADD's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from testbed.coflow import Floats
from testbed.completion import coflow_finish_s
from testbed.emulation.docker_service import docker_daemon
from testbed.emulation.session import emulate
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment

ROOT = Path(__file__).parent.parent
CASES = (
    "worked-example-a", "worked-example-m", "worked-example-w", "worked-example-d", "two-bottlenecks", "preemption",
)  # fmt: skip


def ccts(plan: Plan, outcome: Outcome) -> Floats:
    """CCT per coflow of the plan."""
    return coflow_finish_s(plan.coflows, plan.flows, outcome.finish_s) - outcome.coflow_arrival_s


def measure(plan: Plan, repeats: int) -> list[dict[str, Any]]:
    """One row per coflow: computed, the median of the measured, and their ratio."""
    computed = ccts(plan, simulate(plan))
    measured = []
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as logs:
            measured.append(ccts(plan, emulate(plan, f"known-{number}", Path(logs), say=lambda _: None)))
    found = np.median(measured, axis=0)
    return [
        {
            "case": plan.experiment,
            "enforcement": "+".join(plan.enforcement),
            "scheduler": plan.scheduler.title,
            "coflow": int(coflow),
            "computed_s": round(float(computed[row]), 3),
            "measured_s": round(float(found[row]), 3),
            "ratio": round(float(found[row] / computed[row]), 3),
            "all_s": [round(float(one[row]), 3) for one in measured],
        }
        for row, coflow in enumerate(plan.coflows.coflow)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--enforcement", nargs="+", default=["pacing", "queue"], help="such as pacing+queue")
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--datapath", default="auto", help="as in a topology file, such as router")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with docker_daemon("known answers"):
        for case in options.only:
            for enforcement in options.enforcement:
                ways = enforcement.replace("+", ", ")
                overrides = [f"enforcement=[{ways}]", "vary={}", f"topology.datapath={options.datapath}"]
                for plan in make_plans(load_experiment(ROOT / f"experiments/{case}.yml", overrides)):
                    for row in measure(plan, options.repeats):
                        if options.json:
                            json.dump(row, sys.stdout)
                            print(flush=True)
                        else:
                            cells = (row[key] for key in ("case", "enforcement", "scheduler", "coflow"))
                            figures = f"{row['computed_s']} | {row['measured_s']} | {row['ratio']}"
                            print(f"| {' | '.join(map(str, cells))} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
