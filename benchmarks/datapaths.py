"""What each datapath of this machine carries: a permutation of all hosts at full rate, in one table.

Host i of a k-ary fat-tree sends to the host of the same place in the next pod, so that every host sends and receives
and every cable between switches carries one flow each way. The whole chain runs: containers, actors, coordinator.

Run as root on a quiet machine: .venv/bin/python benchmarks/datapaths.py [--k 4] [--rate 20 --rate 200] [--json]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import orjson

from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.capabilities import has_kernel_datapath
from testbed.emulation.docker_service import docker_daemon
from testbed.emulation.session import emulate
from testbed.fabric import goodput_share
from testbed.outcome import Outcome
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.fat_tree import FatTree
from testbed.topology.routing import choose, paths
from testbed.topology.shape import LinkSetting

COLUMNS = {
    "datapath": "<10",
    "hosts": ">6",
    "rate_Mbps": ">10.0f",
    "up_s": ">7.2f",
    "down_s": ">7.2f",
    "rtt_ms": ">8.3f",
    "delivered_Gbps": ">15.3f",
    "mean_share": ">11.3f",
    "least_share": ">12.3f",
    "retransmits": ">12d",
}
"""Of a row. Shares are of the links' goodput; the round trip is the idle network's, over five hops."""


def permutation(k: int, rate_bps: float, mtu: int, seconds: float, datapath: str) -> Plan:
    """One flow from every host, of as many bytes as its link carries in that time."""
    link = LinkSetting(rate_bps, rate_bps / 8 * goodput_share(mtu), 256_000)
    fabric = FatTree(k).build(link, link, mtu)
    hosts = np.arange(len(fabric.hosts), dtype=np.int64)
    to = (hosts + k * k // 4) % len(hosts)
    via = choose(fabric, hosts, to, "per-flow", seed=1)
    path_ptr, path_links = paths(fabric, hosts, to, via)
    size, none = np.full(len(hosts), int(link.capacity_Bps * seconds)), np.zeros_like(hosts)
    return Plan(
        experiment="datapaths", topology=f"fat-tree k={k}", workload="permutation", scheduler=SchedulerSetting("fair"),
        seed=1, repeat=0, fabric=fabric, addresses=addresses(fabric),
        coflows=CoflowTable(np.zeros(1, dtype=np.int64), np.zeros(1), np.ones(1), np.full(1, np.nan)),
        flows=FlowTable(none, none, hosts, to, size, np.zeros(len(hosts)), via, path_ptr, path_links),
        datapath=datapath, enforcement=("none",),
    )  # fmt: skip


def figures(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """One row of the table."""
    took_s = outcome.finish_s - outcome.start_s
    share = plan.flows.bytes / took_s / plan.fabric.capacity_Bps[plan.fabric.uplink]
    phases: dict[str, float] = outcome.facts["network_phases_s"]
    down = {name for name in phases if name.startswith("down: ")}
    return {
        "datapath": outcome.facts["datapath"],
        "hosts": len(plan.fabric.hosts),
        "rate_Mbps": plan.fabric.links[0].rate_bps / 1e6,
        "up_s": sum(took for name, took in phases.items() if name not in down),
        "down_s": sum(phases[name] for name in down - {"down: switch daemon"}),  # beside the containers
        "rtt_ms": float(outcome.samples["probe"].rtt_s.median() * 1e3),
        "delivered_Gbps": float(plan.flows.bytes.sum() * 8 / np.max(outcome.finish_s) / 1e9),
        "mean_share": float(share.mean()),
        "least_share": float(share.min()),
        "retransmits": int(outcome.retransmits.sum()),
        "phases_s": phases,
    }


def _width(form: str) -> str:
    """The alignment and width of a column, for its heading."""
    return form.rstrip("fd").split(".")[0]


@click.command()
@click.option("--datapath", "datapaths", multiple=True, help="Default: those that this machine has.")
@click.option("--k", "sizes", type=int, multiple=True, default=[4], show_default=True, help="Of the fat-tree.")
@click.option("--rate", "rates", type=float, multiple=True, default=[20, 200], help="Of every link, Mbit/s.")
@click.option("--mtu", default=9000, show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="What each flow takes where nothing is in the way.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, with phases, in place of the table.")
def main(
    datapaths: tuple[str, ...],
    sizes: tuple[int, ...],
    rates: tuple[float, ...],
    mtu: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Bring the network up on each datapath, send, take it down, and print what was carried."""
    here = datapaths or ("ovs-user", *(["ovs-kernel"] if has_kernel_datapath() else []), "router")
    rows = []
    if not as_json:
        click.echo(" ".join(f"{name:{_width(form)}}" for name, form in COLUMNS.items()))
    with docker_daemon("benchmark"), tempfile.TemporaryDirectory() as logs:
        for k in sizes:
            for datapath in here:
                for rate in rates:
                    plan = permutation(k, rate * 1e6, mtu, seconds, datapath)
                    row = figures(plan, emulate(plan, f"bench-{datapath}-{k}", Path(logs), say=lambda _: None))
                    rows.append(row)
                    if not as_json:
                        click.echo(" ".join(f"{row[name]:{form}}" for name, form in COLUMNS.items()))
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
