"""Size bins of coflows, as the literature has them: short or long, narrow or wide.

Short: the longest flow is under 5 MB. Narrow: at most 50 flows. Where a workload was scaled, so is the limit of
length; where hardly any coflow falls on one side of a limit, that axis is split at its median instead, and the limits
say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from testbed.records.run_directory import Run
from testbed.units import format_size

BINS = ("SN", "LN", "SW", "LW")
"""Short narrow, long narrow, short wide, long wide: in the order in which the literature lists them."""

_FEW_SHARE = 0.05
"""With less than this share of the coflows on one side, a limit separates nothing worth a figure."""


@dataclass(frozen=True)
class BinLimits:
    """Where short ends and long begins, where narrow ends and wide begins."""

    short_bytes: float = 5e6
    """A coflow is short if its longest flow is under this."""
    narrow_flows: float = 50
    """A coflow is narrow if it has at most so many flows."""
    why: str = ""
    """'' for the limits of the literature, else what was changed."""

    def __str__(self) -> str:
        """In one line for captions."""
        text = (
            f"S/L: longest flow under / from {format_size(self.short_bytes)}; "
            f"N/W: up to / over {self.narrow_flows:g} flows"
        )
        return f"{text} ({self.why})" if self.why else text

    def assign(self, coflows: pd.DataFrame) -> pd.Series[str]:
        """The bin of each row, from its columns `longest_bytes` and `flows`."""
        long = (coflows["longest_bytes"] >= self.short_bytes).to_numpy()
        wide = (coflows["flows"] > self.narrow_flows).to_numpy()
        names = np.where(wide, np.where(long, "LW", "SW"), np.where(long, "LN", "SN"))
        return pd.Series(names, index=coflows.index, dtype="str")


def bin_limits(coflows: pd.DataFrame, scale: float = 1.0) -> BinLimits:
    """Limits that suit these coflows (columns `longest_bytes`, `flows`): of the literature where they separate any.

    `scale`: factor by which the workload's sizes were scaled.
    """
    limits = BinLimits()
    why = []
    if scale != 1.0:
        limits = replace(limits, short_bytes=limits.short_bytes * scale)
        why.append(f"5 MB x {scale:g}, as the workload")
    longest, width = coflows["longest_bytes"].to_numpy(), coflows["flows"].to_numpy()
    if len(coflows) and _one_sided(longest >= limits.short_bytes):
        limits = replace(limits, short_bytes=float(np.median(longest)))
        why = ["length split at the median"]
    if len(coflows) and _one_sided(width > limits.narrow_flows):
        limits = replace(limits, narrow_flows=float(np.floor(np.median(width))))
        why.append("width split at the median")
    return replace(limits, why="; ".join(why))


def size_scale(run: Run) -> float:
    """The factor by which a run's workload was scaled, as its spec states it; 1 where it states none."""
    value: Any = run.plan.spec
    for key in ("workload", "scale", "size"):
        value = value.get(key) if isinstance(value, dict) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if is_number else 1.0


def _one_sided(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> bool:
    return not _FEW_SHARE <= flags.mean() <= 1 - _FEW_SHARE
