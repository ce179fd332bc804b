"""Part d: a whole workload of which a share of the flows, chosen at random, has no label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.bootstrap import ratio_interval
from testbed.coflow import NONE
from testbed.fidelity.verdict import INVALID
from testbed.records.run_directory import Run

ALL, LABELLED = "all coflows", "coflows with every label"
_POINT = ["point", "scheduler", "source", "repeat"]
_SHARE = "workload.unlabelled.share"


@dataclass(frozen=True)
class Shares:
    """One sweep of this part."""

    coflows: pd.DataFrame
    """Per coflow of each run that is not invalid: point (of what else is varied), scheduler, source, share, repeat,
    coflow, labelled (whether every flow has its label), cct_s, base_s (its CCT at share 0 in the same point, scheduler,
    source and repeat; NaN where there is none)."""
    summary: pd.DataFrame
    """Per point, scheduler, source, share and set of coflows: runs, coflows, mean_s, p95_s, and of the same coflows
    with every label there (share 0): times (mean over mean) with bootstrap interval (low, high), p95_times."""
    runs: pd.DataFrame
    """Per run: source, repeat, verdict, run."""


def shares(entries: Sequence[tuple[dict[str, Any], Run]]) -> Shares:
    """The tables of finished runs, each with the varied values it was made for."""
    frames = [_of_run(values, run) for values, run in entries if run.fidelity.verdict != INVALID]
    runs = pd.DataFrame([{"source": run.source, "repeat": run.repeat, "verdict": run.fidelity.verdict,
                          "run": run.name} for _, run in entries])  # fmt: skip
    if not frames:
        return Shares(pd.DataFrame(), pd.DataFrame(), runs)
    coflows = pd.concat(frames, ignore_index=True)
    base = coflows[coflows["share"] == 0][[*_POINT, "coflow", "cct_s"]].rename(columns={"cct_s": "base_s"})
    coflows = coflows.merge(base, how="left", on=[*_POINT, "coflow"], validate="many_to_one")
    return Shares(coflows, pd.DataFrame(_summary(coflows)), runs)


def _of_run(values: dict[str, Any], run: Run) -> pd.DataFrame:
    flows = run.plan.flows
    bare = np.unique(flows.coflow[(flows.label != flows.coflow) & (flows.coflow != NONE)])
    ids = run.coflows["coflow"].to_numpy()
    return pd.DataFrame({
        "point": ", ".join(f"{name.split('.')[-1]} {value}" for name, value in values.items() if name != _SHARE),
        "scheduler": run.scheduler,
        "source": run.source,
        "share": float(run.plan.spec["workload"]["unlabelled"]["share"]),
        "repeat": run.repeat,
        "coflow": ids,
        "labelled": ~np.isin(ids, bare),
        "cct_s": run.coflows["cct_s"].to_numpy(dtype=np.float64),
    })  # fmt: skip


def _summary(coflows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for keys, part in coflows.groupby(["point", "scheduler", "source", "share"], sort=False):
        for name, mine in ((ALL, part), (LABELLED, part[part["labelled"]])):
            done = mine[mine["cct_s"].notna()]
            both = done[done["base_s"].notna()]
            row: dict[str, Any] = dict(zip(("point", "scheduler", "source", "share"), keys, strict=True))
            row |= {"set": name, "runs": part["repeat"].nunique(), "coflows": len(done)}
            row |= dict.fromkeys(("mean_s", "p95_s", "times", "low", "high", "p95_times"), float("nan"))
            if len(done):
                row |= {"mean_s": done["cct_s"].mean(), "p95_s": done["cct_s"].quantile(0.95)}
            if len(both):
                cct, base = (both[column].to_numpy(dtype=np.float64) for column in ("cct_s", "base_s"))
                interval = ratio_interval(cct, base, both["repeat"].to_numpy(dtype=np.int64))
                row |= {"times": cct.sum() / base.sum(), "low": interval.low, "high": interval.high,
                        "p95_times": np.percentile(cct, 95) / np.percentile(base, 95)}  # fmt: skip
            yield row
