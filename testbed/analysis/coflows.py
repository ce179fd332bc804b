"""One table of the coflows of many runs, and pairs of the same coflow under two schedulers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from testbed.coflow import Floats
from testbed.errors import SpecError, unknown_name
from testbed.records.run_directory import Run

DEFAULT_BASELINE = "fair"
SAME_TASK = ["experiment", "seed", "repeat", "occurrence", "coflow"]
"""What makes two rows the same coflow of the same workload, whatever the scheduler or the source."""


def coflow_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """The coflows of all runs, one under the other, with what identifies the run beside each.

    Columns: run, experiment, source, scheduler, seed, repeat, occurrence (of runs alike in all of these: 0 for the
    first in time, and so on), coflow, arrival_s, finish_s, cct_s, gamma_s, slowdown (CCT / Gamma), flows, bytes,
    longest_bytes (its longest flow). A coflow that did not finish has no CCT.
    """
    frames = []
    seen: Counter[tuple[str, str, str, int, int]] = Counter()
    for run in sorted(runs, key=lambda run: run.name):
        key = (run.experiment, run.source, run.scheduler, run.seed, run.repeat)
        coflows = run.coflows
        frames.append(pd.DataFrame({
            "run": run.name,
            "experiment": run.experiment,
            "source": run.source,
            "scheduler": run.scheduler,
            "seed": run.seed,
            "repeat": run.repeat,
            "occurrence": seen[key],
            **{name: coflows[name].to_numpy() for name in (
                "coflow", "arrival_s", "finish_s", "cct_s", "gamma_s", "flows", "bytes")},
            "slowdown": slowdown(coflows),
            "longest_bytes": longest_flow_bytes(run),
        }))  # fmt: skip
        seen[key] += 1
    return pd.concat(frames, ignore_index=True)


def slowdown(coflows: pd.DataFrame) -> Floats:
    """CCT / Gamma per row of a table of coflows; NaN where one of them is missing, or Gamma is 0."""
    return _ratio(coflows["cct_s"].to_numpy(), coflows["gamma_s"].to_numpy())


def longest_flow_bytes(run: Run) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Per coflow of the run the bytes of its longest flow; 0 for a coflow without flows."""
    flows = run.flow_columns("coflow", "bytes")
    flows = flows[flows["coflow"].notna() & flows["bytes"].notna()].astype("int64")
    ids = run.coflows["coflow"].to_numpy()
    order = np.argsort(ids)
    rows = order[np.searchsorted(ids[order], flows["coflow"].to_numpy())]
    longest = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(longest, rows, flows["bytes"].to_numpy())
    return longest


def schedulers_of(coflows: pd.DataFrame, baseline: str | None = None) -> list[str]:
    """Titles of the schedulers, the baseline first and the others by name."""
    titles = sorted(set(coflows["scheduler"]))
    return sorted(titles, key=lambda title: title != baseline)


def find_baseline(runs: Sequence[Run], wanted: str | None) -> str | None:
    """Title of the scheduler that the others are compared with.

    `wanted` is a title, or a name that only one title has; where it is None, `fair` if it was run, else None.
    SpecError for one that was not run.
    """
    titles = {run.scheduler: str(run.manifest["scheduler"]["name"]) for run in runs}
    name = wanted or DEFAULT_BASELINE
    if name in titles:
        return name
    named = [title for title, short in titles.items() if short == name]
    if len(named) == 1:
        return named[0]
    if wanted is None:
        return None
    raise SpecError(f"--baseline: {unknown_name('scheduler', wanted, titles)}")


@dataclass(frozen=True)
class Pairs:
    """The same coflows under the baseline and under another scheduler; arrays are alike in length."""

    table: pd.DataFrame
    """Columns: SAME_TASK, baseline_s, cct_s, gamma_s, longest_bytes, flows, bytes."""
    left_out: int
    """Coflows of the two that have no partner: not in both, not finished in both, or of another size or Gamma."""

    @property
    def factor(self) -> float:
        """Mean CCT of the baseline over mean CCT: above 1 is better than the baseline. NaN without pairs."""
        total = float(self.table["cct_s"].sum())
        return float(self.table["baseline_s"].sum()) / total if total > 0 else float("nan")

    @property
    def per_coflow(self) -> Floats:
        """CCT under the baseline over CCT, coflow by coflow."""
        return _ratio(self.table["baseline_s"].to_numpy(), self.table["cct_s"].to_numpy())


def pair(baseline: pd.DataFrame, other: pd.DataFrame) -> Pairs:
    """Match the coflows of two tables by SAME_TASK, keeping those that are the same task and finished in both."""
    columns = [*SAME_TASK, "cct_s", "gamma_s", "bytes", "flows", "longest_bytes"]
    both = baseline[columns].merge(other[columns], on=SAME_TASK, how="outer", suffixes=("_baseline", ""))
    same = (both["bytes_baseline"] == both["bytes"]) & (both["flows_baseline"] == both["flows"])
    same &= np.isclose(both["gamma_s_baseline"], both["gamma_s"], rtol=1e-6, atol=0)
    keep = both["cct_s_baseline"].notna() & both["cct_s"].notna() & same
    table = both[keep].rename(columns={"cct_s_baseline": "baseline_s"})
    wanted = [*SAME_TASK, "baseline_s", "cct_s", "gamma_s", "longest_bytes", "flows", "bytes"]
    return Pairs(table[wanted].reset_index(drop=True), int((~keep).sum()))


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
