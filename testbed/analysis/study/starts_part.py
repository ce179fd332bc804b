"""The section of part e."""

from __future__ import annotations

import pandas as pd

from testbed.analysis.study.charts import late_cdf, late_scatter
from testbed.analysis.study.figures import draw_starts
from testbed.analysis.study.sections import Drawing, Section, Words, sheet
from testbed.analysis.study.starts import GOAL_S, spreads

NAME = "e-starts"
_TITLE = "Planned against actual starts"
_ABOUT = (
    "When flows started (first write on a connection opened beforehand) against their planned instant: all flows of "
    "the emulated runs that their scheduler let go at once. Scatter here would be the testbed's error, and no effect."
)
_COLUMNS = [
    ("sweep", "sweep", ""),
    ("flows", "flows", "d"),
    ("median ms", "p50_ms", ".3f"),
    ("p99 ms", "p99_ms", ".3f"),
    ("latest ms", "max_ms", ".3f"),
    ("spread in a coflow, p99 ms", "spread_p99_ms", ".3f"),
]


def starts_section(starts: pd.DataFrame) -> Section:
    """Its sentences, figures and tables."""
    if not len(starts):
        absent = "No run was emulated, and simulated flows start at their planned instant exactly."
        return Section(NAME, _TITLE, _ABOUT, Words(missing=(absent,)))
    table = spreads(starts)
    panels = (("How late flows started", late_cdf(starts)), ("Against the planned start", late_scatter(starts)))
    caption = f"The line is at {GOAL_S * 1e3:g} ms. On the right an even choice, where there are many flows."
    return Section(
        name=NAME,
        title=_TITLE,
        about=_ABOUT,
        words=_words(table),
        drawings=(Drawing(NAME, caption, panels, draw_starts(starts)),),
        sheets=(sheet(f"{NAME}-table", "Starts", _COLUMNS, table),),
        frames={NAME: table},
    )


def _words(table: pd.DataFrame) -> Words:
    last = table.iloc[-1]
    flows, p99 = int(last["flows"]), float(last["p99_ms"])
    text = (
        f"{flows} flows: half started within {last['p50_ms']:.2f} ms of their planned instant, 99% within "
        f"{p99:.2f} ms, the last {last['max_ms']:.2f} ms late. In 99% of the coflows all starts, each against "
        f"its planned instant, lie within {last['spread_p99_ms']:.2f} ms of one another."
    )
    headline = f"measured: of {flows} flows 99% started within {p99:.2f} ms of their planned instant."
    if p99 <= GOAL_S * 1e3:
        return Words(found=(text,), headline=headline)
    late = ", ".join(
        f"{row['sweep']} ({row['p99_ms']:.2f} ms)"
        for row in table.to_dict("records")
        if row["p99_ms"] > GOAL_S * 1e3 and row["sweep"] != "all"
    )
    why = f" That is above the goal of {GOAL_S * 1e3:g} ms: the machine was busy, or many flows start at one instant"
    return Words(deviates=(f"{text}{why}{f'; so in {late}' if late else ''}.",), headline=headline)
