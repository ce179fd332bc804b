"""What each figure shows, as plain arrays: separate from drawing, so that another medium can draw the same."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from testbed.analysis.bins import BINS, BinLimits
from testbed.analysis.coflows import pair, schedulers_of
from testbed.coflow import NONE, Floats, Ints
from testbed.fidelity.departure_checks import gaps_of
from testbed.records.run_directory import Run

SOURCES = ("emulation", "simulation")
MOST_FLOWS = 20_000
"""A Gantt chart of more flows shows whole coflows instead."""
MOST_COLUMNS = 400
"""Time intervals of a utilisation map."""
LAYERS = ("host", "edge", "leaf", "aggregation", "core", "spine", "switch")


@dataclass(frozen=True)
class Curve:
    """A cumulative distribution: of all coflows, `share` had at most `value`. It ends below 1 if some have none."""

    source: str
    scheduler: str
    value: Floats
    share: Floats


@dataclass(frozen=True)
class Boxes:
    """CCTs of one scheduler and source, per size bin."""

    source: str
    scheduler: str
    cct_s: dict[str, Floats]


@dataclass(frozen=True)
class Factors:
    """Per coflow: CCT under the baseline over CCT, beside its Gamma."""

    source: str
    scheduler: str
    coflow: Ints
    gamma_s: Floats
    factor: Floats


@dataclass(frozen=True)
class Agreement:
    """Per coflow of one scheduler: its CCT emulated and simulated."""

    scheduler: str
    coflow: Ints
    gamma_s: Floats
    emulated_s: Floats
    simulated_s: Floats

    @property
    def ratio(self) -> Floats:
        """Emulated / simulated."""
        return self.emulated_s / self.simulated_s

    @property
    def median_ratio(self) -> float:
        """Median of emulated / simulated."""
        return float(np.median(self.ratio))


@dataclass(frozen=True)
class DepartureCurve:
    """Times between departures at saturated links of a scheduler's emulated runs, as multiples of the ideal."""

    scheduler: str
    ratio: Floats
    """Sorted, from 0 on."""
    longer: Floats
    """Per ratio, share of the gaps that are longer."""


@dataclass(frozen=True)
class Gantt:
    """Bars of one run, one per flow (or per coflow where there are very many).

    A flow waits from `planned_s` to `start_s` and is sent until `finish_s`; what did not finish ends with the run.
    Each coflow has a lane of height 1 while it is in progress, whatever its width: the lowest that is free when it
    arrives, so the lanes in use are the coflows in progress. Its flows share the lane, last finished lowest; a bar is
    the part of the lane from `low` to `high`. A flow of no coflow has a lane of its own.
    """

    source: str
    scheduler: str
    repeat: int
    mean_cct_s: float
    of: str
    """'flow' or 'coflow'."""
    coflow: Ints
    """Per bar the coflow's id; NONE for background."""
    low: Floats
    high: Floats
    planned_s: Floats
    start_s: Floats
    finish_s: Floats
    heaviest: tuple[int, ...]
    """Ids of the coflows with the most bytes, most first."""


@dataclass(frozen=True)
class Utilisation:
    """Share of each link's configured rate that it sent, per interval of one run."""

    source: str
    scheduler: str
    repeat: int
    edges_s: Floats
    """Interval i is from edges_s[i] to edges_s[i + 1]."""
    share: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    """[link, interval]; links from the hosts up to the core and down again."""
    links: tuple[str, ...]
    """Names, in the order of the rows."""
    groups: tuple[tuple[str, int], ...]
    """('host->edge', number of rows), in the order of the rows."""


def cct_curves(coflows: pd.DataFrame, baseline: str | None) -> list[Curve]:
    """CCT of all coflows of each source and scheduler, repeats put together."""
    return [
        Curve(source, scheduler, *cumulative(part["cct_s"].to_numpy(dtype=np.float64)))
        for source, scheduler, part in _parts(coflows, baseline)
    ]


def cumulative(values: Floats) -> tuple[Floats, Floats]:
    """Sorted values and the share of all (those that are NaN too) that is at most each."""
    known = np.sort(values[~np.isnan(values)])
    return known, np.arange(1, len(known) + 1) / max(len(values), 1)


def cct_boxes(coflows: pd.DataFrame, limits: BinLimits, baseline: str | None) -> list[Boxes]:
    """CCTs by size bin; bins that no coflow is in are left out."""
    coflows = coflows[coflows["cct_s"].notna()]
    boxes = []
    for source, scheduler, part in _parts(coflows, baseline):
        bins = limits.assign(part)
        found = {name: part.loc[bins == name, "cct_s"].to_numpy(dtype=np.float64) for name in BINS}
        boxes.append(Boxes(source, scheduler, {name: cct for name, cct in found.items() if len(cct)}))
    return boxes


def factors(coflows: pd.DataFrame, baseline: str) -> list[Factors]:
    """Per-coflow factor of every scheduler but the baseline, within each source."""
    result = []
    for source, scheduler, part in _parts(coflows, baseline):
        against = coflows[(coflows["source"] == source) & (coflows["scheduler"] == baseline)]
        if scheduler == baseline or len(against) == 0:
            continue
        pairs = pair(against, part)
        known = ~np.isnan(pairs.per_coflow)
        if known.any():
            gamma = pairs.table["gamma_s"].to_numpy(dtype=np.float64)
            ids = pairs.table["coflow"].to_numpy(dtype=np.int64)
            result.append(Factors(source, scheduler, ids[known], gamma[known], pairs.per_coflow[known]))
    return result


def agreements(coflows: pd.DataFrame, baseline: str | None) -> list[Agreement]:
    """Emulated against simulated CCT of the same coflows, per scheduler that was run both ways."""
    result = []
    for scheduler in schedulers_of(coflows, baseline):
        mine = coflows[coflows["scheduler"] == scheduler]
        emulated, simulated = (mine[mine["source"] == source] for source in SOURCES)
        pairs = pair(emulated, simulated).table
        above_zero = (pairs["baseline_s"] > 0) & (pairs["cct_s"] > 0)
        pairs = pairs[above_zero]
        if len(pairs):
            columns = (pairs[name].to_numpy() for name in ("coflow", "gamma_s", "baseline_s", "cct_s"))
            result.append(Agreement(scheduler, *columns))
    return result


def departure_curves(runs: Sequence[Run], baseline: str | None) -> list[DepartureCurve]:
    """Gaps between departures over their ideal, all emulated runs of a scheduler together; none where not noted."""
    ratios: dict[str, list[Floats]] = {}
    for run in runs:
        if run.source == "emulation" and "departures" in run.samples:
            gaps = gaps_of(run.plan, run.samples["departures"])
            if len(gaps.measured_s):
                ratios.setdefault(run.scheduler, []).append(gaps.measured_s / gaps.ideal_s)
    curves = []
    for scheduler in sorted(ratios, key=lambda name: (name != baseline, name)):
        ratio, share = cumulative(np.concatenate(ratios[scheduler]))
        curves.append(DepartureCurve(scheduler, np.concatenate([[0.0], ratio]), np.concatenate([[1.0], 1 - share])))
    return curves


def gantt(run: Run, labelled: int = 8) -> Gantt:
    """The bars of a run; `labelled`: how many of the heaviest coflows are named."""
    coflows = run.coflows
    heaviest = coflows.sort_values(["bytes", "coflow"], ascending=[False, True])["coflow"].head(labelled)
    whole = int(coflows["flows"].sum()) > MOST_FLOWS
    planned, start = ("arrival_s", "arrival_s") if whole else ("planned_start_s", "start_s")
    rows = coflows if whole else run.flows
    bars = pd.DataFrame({
        "coflow": rows["coflow"].fillna(NONE).astype("int64"),
        "planned_s": rows[planned], "start_s": rows[start], "finish_s": rows["finish_s"],
    })  # fmt: skip
    bars = bars[bars["planned_s"].notna()].reset_index(drop=True)
    end = float(np.nanmax(bars[["planned_s", "start_s", "finish_s"]].to_numpy(), initial=0.0))
    bars["finish_s"] = bars["finish_s"].fillna(end)
    bars["start_s"] = bars["start_s"].fillna(bars["finish_s"])  # never started: waited until the end
    alone = bars["coflow"] == NONE
    bars["owner"] = bars["coflow"].where(~alone, -2 - bars.index.to_numpy())  # each of these is its own
    bars = bars.sort_values(["owner", "finish_s", "start_s"], ascending=[True, False, True], kind="stable")
    owners = bars.groupby("owner").agg(begin=("planned_s", "min"), end=("finish_s", "max"), size=("finish_s", "size"))
    owners["lane"] = _lanes(owners["begin"].to_numpy(), owners["end"].to_numpy(), gap_s=end / 250)
    place = bars.groupby("owner").cumcount().to_numpy()
    lane, size = (owners.loc[bars["owner"], column].to_numpy() for column in ("lane", "size"))
    return Gantt(
        source=run.source,
        scheduler=run.scheduler,
        repeat=run.repeat,
        mean_cct_s=float(coflows["cct_s"].mean()),
        of="coflow" if whole else "flow",
        coflow=bars["coflow"].to_numpy(dtype=np.int64),
        low=lane + place / size,
        high=lane + (place + 1) / size,
        planned_s=bars["planned_s"].to_numpy(dtype=np.float64),
        start_s=bars["start_s"].to_numpy(dtype=np.float64),
        finish_s=bars["finish_s"].to_numpy(dtype=np.float64),
        heaviest=tuple(int(coflow) for coflow in heaviest),
    )


def _lanes(begin: Floats, end: Floats, gap_s: float) -> Ints:
    """Per interval the lowest lane whose last interval ended at least `gap_s` before this one begins."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lane = np.zeros(len(begin), dtype=np.int64)
    for i in np.argsort(begin, kind="stable"):
        while busy and busy[0][0] + gap_s <= begin[i]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane[i] = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (float(end[i]), int(lane[i])))
    return lane


def utilisation(run: Run) -> Utilisation | None:
    """How busy each link was; None where its counters were not sampled."""
    ports = run.samples.get("ports")
    if ports is None or ports["at_s"].nunique() < 2:
        return None
    links, layer = run.plan.fabric.links, {node.name: node.layer for node in run.plan.fabric.nodes}
    number = {link.name: i for i, link in enumerate(links)}
    edges = np.linspace(ports["at_s"].min(), ports["at_s"].max(), _columns(ports) + 1)
    share = np.zeros((len(links), len(edges) - 1))
    ports = ports.assign(number=[number.get(link, link) for link in ports["link"]]).sort_values("at_s")
    for link in range(len(links)):
        series = ports[ports["number"] == link]
        if len(series) == 0:
            continue
        sent = np.interp(edges, series["at_s"].to_numpy(), series["sent_bytes"].to_numpy(dtype=np.float64))
        share[link] = np.diff(sent) / np.diff(edges) * 8 / links[link].rate_bps
    hops = [(LAYERS.index(layer[link.source]), LAYERS.index(layer[link.target])) for link in links]
    upward = sorted((i for i, (a, b) in enumerate(hops) if a < b), key=lambda i: (hops[i], i))
    downward = sorted((i for i, (a, b) in enumerate(hops) if a >= b), key=lambda i: (-hops[i][0], -hops[i][1], i))
    order = upward + downward
    names = [f"{LAYERS[hops[i][0]]}→{LAYERS[hops[i][1]]}" for i in order]
    groups = tuple((name, names.count(name)) for name in dict.fromkeys(names))
    links_in_order = tuple(links[i].name for i in order)
    return Utilisation(run.source, run.scheduler, run.repeat, edges, share[order], links_in_order, groups)


def _columns(ports: pd.DataFrame) -> int:
    """As many intervals as there were samples of a link, up to a limit."""
    samples = int(ports.groupby("link").size().max())
    return max(1, min(MOST_COLUMNS, samples - 1))


def first_runs(runs: Sequence[Run], baseline: str | None) -> list[Run]:
    """The first run of each source and scheduler, emulated ones first, the baseline before others."""
    first: dict[tuple[str, str], Run] = {}
    for run in sorted(runs, key=lambda run: (run.repeat, run.name)):
        first.setdefault((run.source, run.scheduler), run)
    return [first[key] for key in sorted(first, key=lambda key: (key[0], key[1] != baseline, key[1]))]


def _parts(coflows: pd.DataFrame, baseline: str | None) -> list[tuple[str, str, pd.DataFrame]]:
    parts = []
    for source in SOURCES:
        mine = coflows[coflows["source"] == source]
        for scheduler in schedulers_of(mine, baseline):
            parts.append((source, scheduler, mine[mine["scheduler"] == scheduler]))
    return parts
