"""What the figures of a sweep show: mean CCT against each varied field that is a number or a quantity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.bootstrap import ratio_interval
from testbed.analysis.sweep_table import SweepTable
from testbed.coflow import Floats
from testbed.units import parse_rate_bps, parse_size, parse_time_s

_QUANTITIES = (("bit/s", parse_rate_bps), ("B", parse_size), ("s", parse_time_s))


@dataclass(frozen=True)
class Line:
    """Mean CCT of one scheduler from one source; arrays are alike in length, `at` ascending."""

    scheduler: str
    source: str
    at: Floats
    mean_s: Floats
    low_s: Floats
    """Bootstrap interval over runs (repeats and seeds); NaN where there is one run."""
    high_s: Floats


@dataclass(frozen=True)
class Panel:
    """The lines at one combination of the other varied fields, which `title` names ('' where there is none)."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sweep:
    """A figure: mean CCT against one field."""

    field: str
    unit: str
    """'bit/s', 'B' or 's' for quantities, '' for plain numbers."""
    panels: tuple[Panel, ...]


def numeric_fields(table: SweepTable) -> dict[str, tuple[str, Floats]]:
    """Varied field -> unit and value per row, for fields with at least two different values, all of them numeric."""
    found = {}
    for name in table.varied:
        column = _as_numbers(list(table.frame[name]))
        if column is not None and len(np.unique(column[1])) > 1:
            found[name] = column
    return found


def mean_cct(table: SweepTable) -> list[Sweep]:
    """A figure's data for each numeric field."""
    return [
        Sweep(name, unit, tuple(_panels(table, name, values))) for name, (unit, values) in numeric_fields(table).items()
    ]


def _as_numbers(values: Sequence[Any]) -> tuple[str, Floats] | None:
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return "", np.array(values, dtype=np.float64)
    for unit, parse in _QUANTITIES:
        try:
            return unit, np.array([parse(value) for value in values], dtype=np.float64)
        except ValueError:
            continue
    return None


def _panels(table: SweepTable, name: str, values: Floats) -> Iterator[Panel]:
    others = [other for other in table.varied if other != name]
    frame = table.frame.assign(at=values)
    point = pd.Series(["\n".join(f"{other.split('.')[-1]} = {row[other]}" for other in others)
                       for row in frame.to_dict("records")], index=frame.index)  # fmt: skip
    for title in dict.fromkeys(point):
        mine = frame[point == title]
        parts = mine.groupby(["source", "scheduler"], sort=False)
        yield Panel(title, tuple(_line(str(scheduler), str(source), part) for (source, scheduler), part in parts))


def _line(scheduler: str, source: str, rows: pd.DataFrame) -> Line:
    at = np.unique(rows["at"].to_numpy())
    mean, low, high = (np.full(len(at), np.nan) for _ in range(3))
    for i, place in enumerate(at):
        here = rows[(rows["at"] == place) & (rows["coflows"] > 0)]
        count = here["coflows"].to_numpy(dtype=np.float64)
        if len(here) == 0:
            continue
        total = here["mean_s"].to_numpy() * count
        mean[i] = total.sum() / count.sum()
        interval = ratio_interval(total, count, np.arange(len(here)))
        low[i], high[i] = interval.low, interval.high
    return Line(scheduler, source, at, mean, low, high)
