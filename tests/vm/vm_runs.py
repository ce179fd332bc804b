"""The runs that are made inside the virtual machine, and simulated outside: one experiment under a few overrides."""

from __future__ import annotations

from pathlib import Path

from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.spec.reader import load_experiment

EXPERIMENT = Path(__file__).with_name("vm.yml")
_LEAF_SPINE = (
    "topology={kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1, routing: {ecmp: hash}, datapath: ovs-kernel, "
    "link: {rate: 4 Mbit/s, mtu: 1500, buffer: 48 KB, delay: 2 ms}, tcp: {initcwnd: 4, rto_min: 200 ms}}"
)
RUNS = {
    "pacing": [_LEAF_SPINE],
    "queue": ["enforcement=queue"],
    "edge": ["enforcement=[queue, meter]", "marking=edge"],
    "fair": ["scheduler=fair", "topology.link.queueing=per-flow"],
    "dctcp": ["scheduler=fair", "topology.tcp.congestion=dctcp", "topology.tcp.ecn=true", "topology.link.loss=0.2%"],
    "userspace": ["enforcement=queue", "topology.datapath=ovs-user"],
    "router": ["enforcement=queue", "topology.datapath=router"],
}
"""Name -> what it overrides. In the first, switches hash connections onto two spines. All links have delay, so each
port's tree hangs below a netem stage."""


def plans() -> dict[str, Plan]:
    """The plan of each run."""
    return {name: next(make_plans(load_experiment(EXPERIMENT, overrides))) for name, overrides in RUNS.items()}
