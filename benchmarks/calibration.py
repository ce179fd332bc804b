"""What the stored calibration predicts of a permutation of all hosts at full rate, against what came of it, in a table.

Run as root on a quiet machine, after `testbed calibrate`: .venv/bin/python benchmarks/calibration.py [--json]
[--run fat-tree-4,9000,20 ...]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import orjson

from testbed.admission import admission
from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.docker_service import docker_daemon
from testbed.emulation.session import emulate
from testbed.fabric import goodput_share
from testbed.fidelity.assessment import assess
from testbed.plan import Plan, SchedulerSetting
from testbed.scheduling.gammas import lone_gammas
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting

SHAPES = {
    "fat-tree-4": (FatTree(4), 4),
    "big-switch-16": (BigSwitch(16), 1),
    "leaf-spine-4x2": (LeafSpine(4, 2, 2), 2),
}
"""Name -> shape, and how far away in number each host's receiver is: behind as many switches as there can be."""
RUNS = ("fat-tree-4,9000,10", "fat-tree-4,9000,20", "fat-tree-4,9000,30", "fat-tree-4,9000,40", "fat-tree-4,9000,60",
        "fat-tree-4,1500,3", "fat-tree-4,1500,6", "fat-tree-4,1500,10", "big-switch-16,9000,50",
        "big-switch-16,9000,100", "leaf-spine-4x2,9000,50", "leaf-spine-4x2,9000,100")  # fmt: skip
COLUMNS = {
    "topology": "<15", "mtu": ">5d", "rate_Mbps": ">9.0f", "predicted": ">9.2f", "mean_share": ">10.3f",
    "least_share": ">11.3f", "rtt_ms": ">7.1f", "retransmits": ">11d", "verdict": "<9",
}  # fmt: skip
"""Of a row. `predicted`: of what the datapath carries; other shares are of the links' goodput."""


def permutation(name: str, mtu: int, rate_bps: float, seconds: float, datapath: str) -> Plan:
    """One flow from every host, of as many bytes as its link carries in that time."""
    shape, away = SHAPES[name]
    link = LinkSetting(rate_bps, rate_bps / 8 * goodput_share(mtu), 256_000)
    fabric = shape.build(link, link, mtu)
    hosts = np.arange(len(fabric.hosts), dtype=np.int64)
    to = (hosts + away) % len(hosts)
    via = choose(fabric, hosts, to, "per-flow", seed=1)
    path_ptr, path_links = paths(fabric, hosts, to, via)
    size, none = np.full(len(hosts), int(link.capacity_Bps * seconds)), np.zeros_like(hosts)
    return Plan(
        experiment="calibration", topology=name, workload="permutation", scheduler=SchedulerSetting("fair"), seed=1,
        repeat=0, fabric=fabric, addresses=addresses(fabric), datapath=datapath, enforcement=("none",),
        coflows=CoflowTable(np.zeros(1, dtype=np.int64), np.zeros(1), np.ones(1), np.full(1, np.nan)),
        flows=FlowTable(none, none, hosts, to, size, np.zeros(len(hosts)), via, path_ptr, path_links),
    )  # fmt: skip


def row(plan: Plan, logs: Path) -> dict[str, Any]:
    """Predict, emulate, judge."""
    predicted = admission(plan)
    outcome = emulate(plan, "bench-calibration", logs, say=lambda _: None)
    verdict = assess(plan, outcome, lone_gammas(plan))
    share = plan.flows.bytes / (outcome.finish_s - outcome.start_s) / plan.fabric.capacity_Bps[plan.fabric.uplink]
    return {
        "topology": plan.topology,
        "mtu": plan.fabric.mtu,
        "rate_Mbps": plan.fabric.links[0].rate_bps / 1e6,
        "predicted": predicted.busiest,
        "mean_share": float(share.mean()),
        "least_share": float(share.min()),
        "rtt_ms": float(outcome.samples["probe"].rtt_s.median() * 1e3),
        "retransmits": int(outcome.retransmits.sum()),
        "verdict": verdict.verdict,
        "failed": [str(check) for check in verdict.failed],
        "admission": predicted.verdict,
    }


@click.command()
@click.option("--run", "runs", multiple=True, default=RUNS, help=f"Topology ({', '.join(SHAPES)}), MTU, Mbit/s.")
@click.option("--datapath", default="ovs-user", show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="What each flow takes where nothing is in the way.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def main(runs: tuple[str, ...], datapath: str, seconds: float, as_json: bool) -> None:
    """Predict, send and judge each of the runs."""
    rows = []
    if not as_json:
        click.echo(" ".join(f"{name:{form.split('.')[0].rstrip('df')}}" for name, form in COLUMNS.items()))
    with docker_daemon("benchmark"), tempfile.TemporaryDirectory() as logs:
        for run in runs:
            name, mtu, rate = run.split(",")
            rows.append(row(permutation(name, int(mtu), float(rate) * 1e6, seconds, datapath), Path(logs)))
            if not as_json:
                found = " ".join(f"{rows[-1][name]:{form}}" for name, form in COLUMNS.items())
                click.echo(f"{found} {'; '.join(rows[-1]['failed'])}".rstrip())
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
