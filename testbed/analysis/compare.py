"""The comparison: metrics and factors of every scheduler against a baseline, over all coflows and per size bin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.bins import BINS, BinLimits, bin_limits, size_scale
from testbed.analysis.bootstrap import Interval, ratio_interval
from testbed.analysis.coflows import Pairs, coflow_frame, find_baseline, pair, schedulers_of
from testbed.analysis.metrics import NAN, metrics
from testbed.coflow import Floats, Ints
from testbed.records.run_directory import Run

ALL = "all"
_PER_RUN = ("enforcement", "control", "datapath", "ecmp", "topology", "workload")
"""Settings in which runs that are put together should agree."""


@dataclass(frozen=True)
class Comparison:
    """The table, one row per experiment, source, scheduler and bin ('all' first), and what a reader must know.

    Columns: experiment, source, scheduler, bin, runs, those of metrics.Metrics, mean_low_s, mean_high_s, factor (mean
    CCT of the baseline over mean CCT, same coflows), factor_low, factor_high, factor_median (of the factors of single
    coflows), pairs, interval ('repeats' or 'coflows': over what the intervals were drawn).
    """

    table: pd.DataFrame
    baseline: str | None
    limits: dict[str, BinLimits]
    """Per experiment."""
    notes: tuple[str, ...]
    coflows: pd.DataFrame
    """What was compared: coflows.coflow_frame of all runs."""

    @property
    def overall(self) -> pd.DataFrame:
        """The rows over all coflows."""
        return self.table[self.table["bin"] == ALL].reset_index(drop=True)


def compare(runs: Sequence[Run], baseline: str | None = None, limits: BinLimits | None = None) -> Comparison:
    """Compare the schedulers of these runs. `baseline`: title or name, fair by default; SpecError if it was not run.

    `limits`: of the bins; by default they suit the coflows of each experiment.
    """
    title = find_baseline(runs, baseline)
    coflows = coflow_frame(runs)
    rows: list[dict[str, Any]] = []
    notes = [*_mixed_settings(runs)]
    if title is None:
        notes.append("no run of 'fair' to compare with: no factors (--baseline names another scheduler)")
    used: dict[str, BinLimits] = {}
    for experiment, part in coflows.groupby("experiment", sort=True):
        name = str(experiment)
        one = next(run for run in runs if run.experiment == name)
        used[name] = limits or bin_limits(part, size_scale(one))
        part = part.assign(bin=used[name].assign(part))
        for source in sorted(set(part["source"])):
            mine = part[part["source"] == source]
            for scheduler in schedulers_of(mine, title):
                rows.extend(_rows(name, source, scheduler, title, mine, used[name], notes))
    return Comparison(pd.DataFrame(rows), title, used, tuple(notes), coflows)


def _rows(
    experiment: str, source: str, scheduler: str, baseline: str | None, coflows: pd.DataFrame, limits: BinLimits,
    notes: list[str],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    mine = coflows[coflows["scheduler"] == scheduler]
    against = coflows[coflows["scheduler"] == baseline]
    pairs = pair(against, mine) if len(against) else None
    if pairs is None and baseline is not None:
        notes.append(f"{experiment}, {source}: no run of {baseline!r}, so {scheduler!r} has no factor")
    elif pairs is not None and pairs.left_out and scheduler != baseline:
        notes.append(
            f"{experiment}, {source}: {pairs.left_out} coflows are not the same, or not finished, under both "
            f"{scheduler!r} and {baseline!r}; the factor is over the other {len(pairs.table)}"
        )
    for name in (ALL, *BINS):
        part = mine if name == ALL else mine[mine["bin"] == name]
        if len(part) == 0:
            continue
        done = part[part["cct_s"].notna()]
        mean = ratio_interval(_floats(done, "cct_s"), np.ones(len(done)), _units(done))
        yield {
            "experiment": experiment, "source": source, "scheduler": scheduler, "bin": name,
            "runs": part["run"].nunique(), **metrics(part), "mean_low_s": mean.low, "mean_high_s": mean.high,
            **_factors(_in_bin(pairs, name, limits)), "interval": mean.over,
        }  # fmt: skip


def _in_bin(pairs: Pairs | None, name: str, limits: BinLimits) -> Pairs | None:
    if pairs is None or name == ALL:
        return pairs
    return Pairs(pairs.table[limits.assign(pairs.table) == name], 0)


def _factors(pairs: Pairs | None) -> dict[str, Any]:
    if pairs is None or len(pairs.table) == 0:
        return {"factor": NAN, "factor_low": NAN, "factor_high": NAN, "factor_median": NAN, "pairs": 0}
    interval: Interval = ratio_interval(
        _floats(pairs.table, "baseline_s"), _floats(pairs.table, "cct_s"), _units(pairs.table)
    )
    return {
        "factor": pairs.factor, "factor_low": interval.low, "factor_high": interval.high,
        "factor_median": float(np.nanmedian(pairs.per_coflow)), "pairs": len(pairs.table),
    }  # fmt: skip


def _floats(table: pd.DataFrame, column: str) -> Floats:
    return table[column].to_numpy(dtype=np.float64)


def _units(table: pd.DataFrame) -> Ints:
    """Per row a number for the repeat that it is from."""
    return np.asarray(table.groupby(["seed", "repeat", "occurrence"]).ngroup(), dtype=np.int64)


def _mixed_settings(runs: Sequence[Run]) -> Iterator[str]:
    """Say where runs that count as repeats of one another were made under different settings."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.experiment, run.source, run.scheduler), []).append(run)
    for (experiment, source, scheduler), alike in groups.items():
        for setting in _PER_RUN:
            values = {str(run.manifest[setting]) for run in alike}
            if len(values) > 1:
                yield (
                    f"{experiment}, {source}, {scheduler}: runs of different {setting} are put together "
                    f"({', '.join(sorted(values))})"
                )
