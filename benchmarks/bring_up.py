"""How long an emulated network takes to come up and to go down, by phase: medians over repeats, per size.

Run as root on a quiet machine:
.venv/bin/python benchmarks/bring_up.py [--k 2 --k 4] [--datapath router] [--repeats 5] [--mininet] [--chart FILE]
"""

from __future__ import annotations

import statistics
import time

import click
import numpy as np
import orjson
import plain_mininet

from testbed.analysis.plot_style import PALETTE, legend, new_figure, styled
from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.docker_service import docker_daemon
from testbed.emulation.network import EmulatedNetwork
from testbed.plan import Plan, SchedulerSetting
from testbed.topology.addressing import addresses
from testbed.topology.fat_tree import FatTree
from testbed.topology.shape import LinkSetting

MININET = "up, plain Mininet"
TOTALS = ("up", "down", MININET, "down, plain Mininet")


def flowless_plan(k: int, datapath: str) -> Plan:
    """A fat-tree with links as in the default topology, and nothing to send."""
    link = LinkSetting(20e6, 0.98 * 20e6 / 8, 256_000)
    fabric = FatTree(k).build(link, link, mtu=9000)
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Plan(
        experiment="bring-up", topology=f"fat-tree k={k}", workload="none", scheduler=SchedulerSetting("fair"),
        seed=1, repeat=0, fabric=fabric, addresses=addresses(fabric),
        coflows=CoflowTable(none, nothing, nothing, nothing),
        flows=FlowTable(none, none, none, none, none, nothing, none, np.zeros(1, dtype=np.int64), none),
        datapath=datapath,
    )  # fmt: skip


def measure(k: int, repeats: int, datapath: str) -> dict[str, float]:
    """Median seconds of the whole bring-up, the whole tear-down, and each phase."""
    samples: list[dict[str, float]] = []
    for repeat in range(repeats):
        began = time.monotonic()
        network = EmulatedNetwork(flowless_plan(k, datapath), f"bench-k{k}-{repeat}")
        with network:
            up_s = time.monotonic() - began
            began = time.monotonic()
        samples.append({"up": up_s, "down": time.monotonic() - began, **network.phases})
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def chart(medians: dict[int, dict[str, float]], path: str) -> None:
    """Bars of the phases of the bring-up, largest first, and plain Mininet's beside them where it was measured."""
    phases = [name for name in medians[max(medians)] if name not in TOTALS and not name.startswith("down: ")]
    phases.sort(key=lambda name: -medians[max(medians)][name])
    shown, rest = phases[:5], phases[5:]
    with styled():
        figure = new_figure(3.2, 4.8)
        axes = figure.subplots()
        for place, k in enumerate(medians):
            parts = {name: medians[k][name] for name in shown} | {"others": sum(medians[k][name] for name in rest)}
            bottom = 0.0
            for (name, took_s), colour in zip(parts.items(), PALETTE, strict=False):
                axes.bar(place - 0.2, took_s, 0.36, bottom=bottom, color=colour, label=name if place == 0 else None)
                bottom += took_s
            if MININET in medians[k]:
                label = "plain Mininet" if place == 0 else None
                axes.bar(place + 0.2, medians[k][MININET], 0.36, color="0.7", label=label)
        axes.set_xticks(range(len(medians)), [f"k={k}" for k in medians])
        axes.set_ylabel("bring-up (s)")
        handles, _ = axes.get_legend_handles_labels()
        legend(figure, handles, columns=4)
        figure.savefig(path, dpi=150)


@click.command()
@click.option("--k", "sizes", type=int, multiple=True, default=[2, 4], help="Ports of a fat-tree's switches.")
@click.option("--datapath", default="auto", show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--keep-docker", is_flag=True, help="Leave the start and end of our own Docker daemon out.")
@click.option("--mininet", "with_mininet", is_flag=True, help="Also the same fat-tree under plain Mininet, once each.")
@click.option("--chart", "chart_file", help="Draw the phases of the bring-up into this PNG or PDF file.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def main(
    sizes: tuple[int, ...],
    datapath: str,
    repeats: int,
    keep_docker: bool,
    with_mininet: bool,
    chart_file: str | None,
    as_json: bool,
) -> None:
    """Bring networks up and down, and print medians in seconds."""
    if keep_docker:
        with docker_daemon("benchmark"):
            medians = {k: measure(k, repeats, datapath) for k in sizes}
    else:
        medians = {k: measure(k, repeats, datapath) for k in sizes}
    if with_mininet:
        for k in sizes:
            medians[k][MININET], medians[k]["down, plain Mininet"] = plain_mininet.measure(k)
    if chart_file:
        chart(medians, chart_file)
    if as_json:
        click.echo(orjson.dumps(medians, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
        return
    click.echo(f"{'seconds':<24}" + "".join(f"{f'k={k}':>8}" for k in sizes))
    for name in medians[sizes[0]]:
        click.echo(f"{name:<24}" + "".join(f"{medians[k][name]:>8.2f}" for k in sizes))


if __name__ == "__main__":
    main()
