"""The runs that are made inside the virtual machine, and simulated outside: one experiment under a few overrides."""

from __future__ import annotations

from pathlib import Path

from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.spec.reader import load_experiment

EXPERIMENT = Path(__file__).with_name("vm.yml")
RUNS = {
    "pacing": [],
    "queue": ["enforcement=queue"],
    "fair": ["scheduler=fair", "topology.link.queueing=per-flow"],
    "dctcp": ["scheduler=fair", "topology.tcp.congestion=dctcp", "topology.tcp.ecn=true", "topology.link.loss=0.2%"],
}
"""Name -> what it overrides. All links have delay, so each port's tree hangs below a netem stage."""


def plans() -> dict[str, Plan]:
    """The plan of each run."""
    return {name: next(make_plans(load_experiment(EXPERIMENT, overrides))) for name, overrides in RUNS.items()}
