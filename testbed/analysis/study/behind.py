"""Parts a to c: small coflows behind one of which some flows carry no label, measured, simulated and predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.bootstrap import ratio_interval
from testbed.analysis.study.prediction import Coflow, Discipline, Prediction, law, predict
from testbed.errors import RecordsError
from testbed.fidelity.verdict import INVALID
from testbed.plan import Plan
from testbed.records.run_directory import Run
from testbed.units import format_size

RESIDENCE, CCT = "residence", "CCT"
_KEY = ["label", "quantity", "unlabelled"]


@dataclass(frozen=True)
class Behind:
    """One sweep of these parts."""

    runs: pd.DataFrame
    """Per run and quantity: label, class, flows (M), unlabelled (m), source, repeat, verdict, run, quantity, seconds,
    predicted_s. Quantities: `residence` of the wrongly labelled coflow in its first queue (NaN where it never leaves
    it), `CCT` (mean over the coflows behind it) and, where these are several, `CCT of N` of each."""
    summary: pd.DataFrame
    """Per label, quantity, m and source, over runs that are not invalid: runs, mean_s with bootstrap interval (low_s,
    high_s), predicted_s, over_predicted, times (over the mean at m = 0), predicted_times, law."""
    coflows: tuple[tuple[Coflow, ...], ...]
    """The coflows of the plans, the wrongly labelled one first, with its labels complete; alike ones once."""
    sender_Bps: float


def residence_s(run: Run, coflow: int) -> float:
    """Seconds from a coflow's arrival until the scheduler first puts it into a queue below the first; NaN if never."""
    flows = np.flatnonzero(run.plan.flows.label == coflow)
    arrival_s = float(run.coflows.loc[run.coflows["coflow"] == coflow, "arrival_s"].iloc[0])
    decisions = run.decisions
    for at_s, seen, queue in zip(decisions["at_s"], decisions["flows"], decisions["queue"], strict=True):
        if (queue[np.isin(seen, flows)] > 0).any():
            return float(at_s) - arrival_s
    return float("nan")


def behind(runs: Sequence[Run]) -> Behind:
    """The tables of finished runs; RecordsError where one is of something that the prediction does not cover."""
    rows: list[dict[str, Any]] = []
    kinds: dict[tuple[Coflow, ...], None] = {}
    labels = _labels(runs)
    for run in runs:
        ids, coflows = _coflows(run)
        kinds.setdefault(tuple(Coflow(each.flows, each.size, each.arrival_s) for each in coflows))
        predicted = predict(coflows, _sender_Bps(run), _discipline(run.plan))
        wrong = coflows[0]
        about = {"label": labels[run.name], "class": run.plan.unlabelled_class, "flows": wrong.flows,
                 "unlabelled": wrong.unlabelled, "source": run.source, "repeat": run.repeat,
                 "verdict": run.fidelity.verdict, "run": run.name}  # fmt: skip
        rows += [{**about, **figure} for figure in _quantities(run, ids, predicted)]
    frame = pd.DataFrame(rows)
    return Behind(frame, _summary(frame), tuple(kinds), _sender_Bps(runs[0]))


def _quantities(run: Run, ids: Sequence[int], predicted: Prediction) -> Iterator[dict[str, Any]]:
    cct_s = run.coflows.set_index("coflow")["cct_s"]
    yield {"quantity": RESIDENCE, "seconds": residence_s(run, ids[0]), "predicted_s": predicted.residence_s[0]}
    others = [float(cct_s[coflow]) for coflow in ids[1:]]
    yield {"quantity": CCT, "seconds": np.mean(others), "predicted_s": np.mean(predicted.cct_s[1:])}
    if len(others) > 1:
        for coflow, seconds, expected in zip(ids[1:], others, predicted.cct_s[1:], strict=True):
            yield {"quantity": f"{CCT} of {coflow}", "seconds": seconds, "predicted_s": expected}


def _coflows(run: Run) -> tuple[list[int], list[Coflow]]:
    """Ids and shapes, the wrongly labelled coflow first, the others in order of arrival."""
    flows, table = run.plan.flows, run.plan.coflows
    wrong = int(run.plan.spec["workload"]["unlabelled"]["coflow"])
    order = sorted(zip(table.arrival_s.tolist(), table.coflow.tolist(), strict=True))
    ids = [wrong, *(coflow for _, coflow in order if coflow != wrong)]
    arrival_s = dict(zip(table.coflow.tolist(), table.arrival_s.tolist(), strict=True))
    found = []
    for coflow in ids:
        mine = flows.coflow == coflow
        sizes = np.unique(flows.bytes[mine])
        if len(sizes) != 1 or len(np.unique(flows.src[flows.coflow >= 0])) != 1:
            raise RecordsError(f"{run.path}: the prediction is for one sender and equal flows within each coflow")
        bare = int(np.count_nonzero(mine & (flows.label != flows.coflow)))
        found.append(Coflow(int(mine.sum()), float(sizes[0]), arrival_s[coflow], bare))
    return ids, found


def _sender_Bps(run: Run) -> float:
    """Goodput of the link on which every flow leaves its sender, bytes/s."""
    return float(run.plan.fabric.capacity_Bps[run.plan.flows.path(0)[0]])


def _discipline(plan: Plan) -> Discipline:
    given = plan.scheduler.parameters
    if plan.scheduler.name != "dclas" or given.get("sharing") != "strict" or "first_limit" not in given:
        raise RecordsError(f"{plan.experiment}: the prediction is for dclas with first_limit and sharing: strict")
    names = ("first_limit", "factor", "queues", "minimum_size")
    return Discipline(**{name: given[name] for name in names if name in given}, unlabelled_class=plan.unlabelled_class)


def _labels(runs: Sequence[Run]) -> dict[str, str]:
    """Run -> what tells it from others, apart from m: the class of unlabelled flows, the minimum size, or both."""
    least = {run.name: float(run.plan.scheduler.parameters.get("minimum_size", 0.0)) for run in runs}
    one_size, one_class = len(set(least.values())) == 1, len({run.plan.unlabelled_class for run in runs}) == 1
    found = {}
    for run in runs:
        words = [] if one_class and not one_size else [f"class {run.plan.unlabelled_class}"]
        if not one_size:
            size = least[run.name]
            words.append(f"minimum size {format_size(size)}" if size else "no minimum size")
        found[run.name] = ", ".join(words)
    return found


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    sound = runs[runs["verdict"] != INVALID]
    for (label, quantity, m, source), part in sound.groupby([*_KEY, "source"], sort=False):
        seconds = part["seconds"].to_numpy(dtype=np.float64)
        interval = ratio_interval(seconds, np.ones(len(seconds)), np.arange(len(seconds)))
        predicted = float(part["predicted_s"].iloc[0])
        mean = float(seconds.mean())
        rows.append({"label": label, "quantity": quantity, "unlabelled": m, "source": source, "runs": len(part),
                     "mean_s": mean, "low_s": interval.low, "high_s": interval.high, "predicted_s": predicted,
                     "over_predicted": mean / predicted,
                     "law": law(int(part["flows"].iloc[0]), int(part["unlabelled"].iloc[0]))})  # fmt: skip
    frame = pd.DataFrame(rows)
    base = frame[frame["unlabelled"] == 0].set_index(["label", "quantity", "source"])
    keys = list(zip(frame["label"], frame["quantity"], frame["source"], strict=True))
    for name, column in (("times", "mean_s"), ("predicted_times", "predicted_s")):
        of_labelled = np.array([base[column].get(key, np.nan) for key in keys], dtype=np.float64)
        frame[name] = frame[column].to_numpy(dtype=np.float64) / of_labelled
    return frame
