"""The figures of a plan that tell whether it makes sense, before anything runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from testbed.coflow import ENDLESS, NONE
from testbed.plan import Plan
from testbed.scheduling.gammas import lone_gammas
from testbed.units import format_rate, format_size, format_time


def summarise(plan: Plan) -> dict[str, Any]:
    """Counts, bytes, seconds and the most loaded link, as plain data; the keys carry the units.

    `busiest_link_s` is how long the link with the most to carry needs for it: no schedule ends earlier.
    """
    flows, fabric = plan.flows, plan.fabric
    finite = flows.bytes < ENDLESS
    load = flows.bytes_by_link(len(fabric.links))
    busy_s = load / fabric.capacity_Bps
    busiest = int(np.argmax(busy_s))
    gammas = lone_gammas(plan)
    rates = sorted({link.rate_bps for link in fabric.links})
    known = plan.coflows.arrival_s[~np.isnan(plan.coflows.arrival_s)]
    return {
        "topology": plan.topology,
        "workload": plan.workload,
        "hosts": len(fabric.hosts),
        "switches": len(fabric.switches),
        "cables": len(fabric.links) // 2,
        "rates_bps": rates,
        "coflows": len(plan.coflows),
        "flows": len(flows),
        "background_flows": int(np.count_nonzero(flows.coflow == NONE)),
        "unlabelled_flows": int(np.count_nonzero((flows.label == NONE) & (flows.coflow != NONE))),
        "bytes": int(flows.bytes[finite].sum()),
        "last_arrival_s": float(known.max()) if len(known) else 0.0,
        "lone_gamma_median_s": float(np.median(gammas)) if len(gammas) else 0.0,
        "lone_gamma_max_s": float(gammas.max(initial=0.0)),
        "busiest_link": fabric.links[busiest].name,
        "busiest_link_bytes": int(load[busiest]),
        "busiest_link_s": float(busy_s[busiest]),
        "faults": [f"{fault.words} at {format_time(fault.at_s)}" for fault in plan.faults[:20]],
        "notes": list(plan.notes),
    }


def in_words(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The same as lines of a table."""
    rates = ", ".join(format_rate(rate) for rate in summary["rates_bps"])
    hosts, cables = counted(summary["hosts"], "host"), counted(summary["cables"], "cable")
    switches = counted(summary["switches"], "switch", "switches")
    without = [
        f"{summary[key]} {key.split('_')[0]}" for key in ("unlabelled_flows", "background_flows") if summary[key]
    ]
    return [
        ("topology", summary["topology"]),
        ("network", f"{hosts}, {switches}, {cables} of {rates}"),
        ("workload", summary["workload"]),
        ("coflows", f"{summary['coflows']}, the last arrives at {format_time(summary['last_arrival_s'])}"),
        ("flows", f"{summary['flows']}{' (' + ', '.join(without) + ')' if without else ''}"),
        ("bytes", format_size(summary["bytes"])),
        (
            "lone Gamma",
            f"median {format_time(summary['lone_gamma_median_s'])}, largest {format_time(summary['lone_gamma_max_s'])}",
        ),
        (
            "busiest link",
            f"{summary['busiest_link']} carries {format_size(summary['busiest_link_bytes'])}, "
            f"at least {format_time(summary['busiest_link_s'])}",
        ),
        *(("fault", fault) for fault in summary["faults"]),
        *(("note", note) for note in summary["notes"]),
    ]


def in_one_line(summary: dict[str, Any]) -> str:
    """'fat-tree k=4, 20 Mbit/s; 40 coflows, 512 flows, 130 MB'."""
    flows = counted(summary["flows"], "flow")
    return f"{summary['topology']}; {summary['workload']}, {flows}, {format_size(summary['bytes'])}"


def counted(number: int, one: str, several: str = "") -> str:
    """'1 flow', '2 flows'."""
    return f"{number} {one if number == 1 else several or one + 's'}"
