"""Figures of a set of coflows: count, mean and percentiles of CCT and of slowdown."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd

from testbed.coflow import Floats

NAN = float("nan")


class Metrics(TypedDict):
    """Times in seconds; slowdown is CCT / Gamma. NaN where no coflow finished."""

    coflows: int
    """Coflows that finished."""
    unfinished: int
    mean_s: float
    median_s: float
    p95_s: float
    p99_s: float
    slowdown_mean: float
    slowdown_median: float
    slowdown_p95: float


def metrics(coflows: pd.DataFrame) -> Metrics:
    """Metrics of rows with the columns cct_s and slowdown. Percentiles are interpolated linearly."""
    cct = coflows["cct_s"].to_numpy(dtype=np.float64)
    slowdown = coflows["slowdown"].to_numpy(dtype=np.float64)
    done = ~np.isnan(cct)
    slowdown = slowdown[~np.isnan(slowdown)]
    return Metrics(
        coflows=int(done.sum()),
        unfinished=int((~done).sum()),
        mean_s=_mean(cct[done]),
        median_s=_percentile(cct[done], 50),
        p95_s=_percentile(cct[done], 95),
        p99_s=_percentile(cct[done], 99),
        slowdown_mean=_mean(slowdown),
        slowdown_median=_percentile(slowdown, 50),
        slowdown_p95=_percentile(slowdown, 95),
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else NAN


def _percentile(values: Floats, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else NAN
