"""What the page shows of a single run, as compact columns that its script turns into rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.coflows import slowdown
from testbed.analysis.decision_data import class_use, latencies
from testbed.analysis.figure_data import utilisation
from testbed.analysis.page.specs import rounded, thinned
from testbed.coflow import Floats
from testbed.records.run_directory import Run

MOST_RUNS = 32
"""Runs that can be looked at one by one: the first of each source and scheduler."""
MOST_FLOWS = 24_000
"""Flows of all those runs together: beyond it the heaviest coflows of each run keep theirs."""
MOST_CELLS = 10_000
"""Links x intervals of a utilisation map."""
MOST_DECISIONS = 1500
_FLOW_COLUMNS = ("coflow", "flow", "from", "to", "bytes", "planned_start_s", "start_s", "finish_s")


def run_detail(run: Run, most_flows: int) -> dict[str, Any]:
    """Coflows, flows, links, classes and decisions of one run; null for what it has no records of."""
    return {
        "experiment": run.experiment,
        "label": f"{run.scheduler}, {'emulated' if run.source == 'emulation' else 'simulated'}",
        "coflows": _coflows(run),
        "flows": _flows(run, most_flows),
        "links": _links(run),
        "classes": _classes(run),
        "decisions": _decisions(run),
    }


def _coflows(run: Run) -> dict[str, list[Any]]:
    table = run.coflows.assign(slowdown=slowdown(run.coflows)).sort_values(["arrival_s", "coflow"])
    names = ("arrival_s", "finish_s", "cct_s", "gamma_s", "slowdown")
    columns: dict[str, list[Any]] = {name: table[name].tolist() for name in ("coflow", "flows", "bytes")}
    return {**columns, **{name: rounded(table[name].to_numpy(dtype=np.float64), 6) for name in names}}


def _flows(run: Run, most: int) -> dict[str, Any]:
    """Flows of the heaviest coflows that fit: all of them in most runs. `left_out`: coflows without their flows."""
    heaviest = run.coflows.sort_values(["bytes", "coflow"], ascending=[False, True])
    chosen, room = set(), most
    for coflow, count in zip(heaviest["coflow"], heaviest["flows"], strict=True):
        if count <= room:
            chosen.add(int(coflow))
            room -= int(count)
    flows = run.flow_columns(*_FLOW_COLUMNS)
    flows = flows[flows["coflow"].isin(chosen)]
    end = flows[["planned_start_s", "start_s", "finish_s"]].max().max() if len(flows) else 0.0
    columns: dict[str, Any] = {
        name: flows[name].astype("int64").tolist() for name in ("coflow", "flow", "from", "to", "bytes")
    }
    for name in ("planned_start_s", "start_s", "finish_s"):
        columns[name] = rounded(flows[name].to_numpy(dtype=np.float64), 6)
    return {**columns, "end_s": None if pd.isna(end) else float(end), "left_out": len(heaviest) - len(chosen)}


def _links(run: Run) -> dict[str, Any] | None:
    """Percent of its rate that each link sent, [link][interval]; of many links the busiest."""
    found = utilisation(run)
    if found is None:
        return None
    share, edges = _coarser(found.share, found.edges_s, columns=120)
    layer = [name for name, count in found.groups for _ in range(count)]
    rows = np.arange(len(share))
    most = MOST_CELLS // share.shape[1]
    if len(rows) > most:
        busiest = np.argsort(-share.mean(axis=1), kind="stable")[:most]
        rows = np.sort(busiest)
    return {
        "edges_s": rounded(edges),
        "names": [found.links[i] for i in rows],
        "layers": [layer[i] for i in rows],
        "percent": np.rint(100 * share[rows]).astype(int).tolist(),
        "mean_by_layer": _mean_by_layer(share, layer),
        "left_out": len(share) - len(rows),
    }


def _coarser(share: Any, edges: Floats, columns: int) -> tuple[Any, Floats]:
    """At most so many intervals: neighbours put together, each weighing its length."""
    step = -(-share.shape[1] // columns)
    if step == 1:
        return share, edges
    kept = np.append(np.arange(0, share.shape[1], step), share.shape[1])
    busy = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share * np.diff(edges), axis=1)], axis=1)
    return np.diff(busy[:, kept], axis=1) / np.diff(edges[kept]), edges[kept]


def _mean_by_layer(share: Any, layer: Sequence[str]) -> dict[str, list[float | None]]:
    names = np.array(layer)
    return {name: rounded(100 * share[names == name].mean(axis=0), 3) for name in dict.fromkeys(layer)}


def _classes(run: Run) -> dict[str, Any] | None:
    use = class_use(run)
    if use is None:
        return None
    picked = thinned(len(use.at_s), MOST_DECISIONS // 3)
    return {"at_s": rounded(use.at_s[picked], 9), "classes": list(use.classes), "flows": use.flows[picked].tolist()}


def _decisions(run: Run) -> dict[str, Any] | None:
    found = latencies(run)
    if found is None:
        return None
    picked = thinned(len(found.at_s), MOST_DECISIONS)
    median, high, most = np.percentile(found.latency_s, (50, 99, 100)) * 1000
    return {
        "at_s": rounded(found.at_s[picked]),
        "ms": rounded(found.latency_s[picked] * 1000, 4),
        "active_flows": [int(found.active_flows[i]) for i in picked],
        "reason": [found.reason[i] for i in picked],
        "summary": f"{len(found.at_s)} decisions: median {median:.2g} ms, 99 % within {high:.2g} ms, longest "
                   f"{most:.2g} ms; deciding took {found.busy_share:.1%} of the time.",
    }  # fmt: skip
