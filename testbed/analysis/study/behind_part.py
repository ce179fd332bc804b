"""The section of parts a to c."""

from __future__ import annotations

import pandas as pd

from testbed.analysis.study.behind import CCT, RESIDENCE, Behind
from testbed.analysis.study.behind_words import behind_words
from testbed.analysis.study.charts import against_m
from testbed.analysis.study.figures import draw_against_m
from testbed.analysis.study.sections import GOAL, Drawing, Section, Sheet, sheet
from testbed.units import format_rate, format_size, format_time

_PANELS = {RESIDENCE: "residence in the first queue", CCT: "CCT of what comes behind"}
_SECONDS = (
    "Solid, with 95 % intervals over repeats: measured; dashed: simulated; wide and pale: predicted. A curve that is "
    "not there: it never left the queue."
)
_TIMES = (
    "The same over its value at m = 0. Where flows without a label share the class, the predicted residence is the law "
    "M / (M - m)."
)
_COLUMNS = [
    ("", "label", ""),
    ("quantity", "quantity", ""),
    ("m", "unlabelled", "d"),
    ("source", "source", ""),
    ("runs", "runs", "d"),
    ("mean s", "mean_s", ".3f"),
    ("low", "low_s", ".3f"),
    ("high", "high_s", ".3f"),
    ("predicted s", "predicted_s", ".3f"),
    ("mean / predicted", "over_predicted", ".3f"),
    ("times m = 0", "times", ".3f"),
    ("predicted times", "predicted_times", ".3f"),
    ("M / (M - m)", "law", ".3f"),
]


def behind_section(name: str, data: Behind) -> Section:
    """Its sentences, figures and tables."""
    main = data.summary[data.summary["quantity"].isin(_PANELS)]
    each = data.summary[~data.summary["quantity"].isin(_PANELS)]
    drawings = [
        _both_quantities(f"{name}-seconds", main, "mean_s", "predicted_s", "seconds", _SECONDS),
        _both_quantities(f"{name}-times", main, "times", "predicted_times", "times that with every label", _TIMES),
    ]
    if len(each):
        drawings.append(_one_by_one(f"{name}-each", each))
    return Section(
        name=name,
        title=_title(data),
        about=_about(data),
        words=behind_words(data),
        drawings=tuple(drawings),
        sheets=(
            _ratios(f"{name}-ratios", main),
            sheet(f"{name}-table", "Measured, simulated and predicted", _COLUMNS, data.summary),
        ),
        frames={f"{name}-runs": data.runs, name: data.summary},
    )


def _both_quantities(name: str, summary: pd.DataFrame, value: str, predicted: str, unit: str, caption: str) -> Drawing:
    parts = [(title, summary[summary["quantity"] == quantity]) for quantity, title in _PANELS.items()]
    panels = tuple((title, against_m(part, "label", value, predicted, unit)) for title, part in parts)
    return Drawing(name, caption, panels, draw_against_m(parts, "label", value, predicted, unit))


def _one_by_one(name: str, each: pd.DataFrame) -> Drawing:
    """A panel per label, a colour per coflow."""
    parts = [(f"CCT of each, {label}", part) for label, part in each.groupby("label", sort=False)]
    panels = tuple((title, against_m(part, "quantity", "mean_s", "predicted_s", "seconds")) for title, part in parts)
    figure = draw_against_m(parts, "quantity", "mean_s", "predicted_s", "seconds")
    return Drawing(name, "Each coflow behind the wrongly labelled one, by its number.", panels, figure)


def _ratios(name: str, summary: pd.DataFrame) -> Sheet:
    """The agreement at a glance: mean / predicted, a column per m, measured where anything was."""
    measured = summary[summary["source"] == "emulation"]
    shown, how = (measured, "Measured") if len(measured) else (summary, "Simulated")
    table = shown.pivot_table("over_predicted", ["label", "quantity"], "unlabelled", sort=False).reset_index()
    places = sorted(int(m) for m in shown["unlabelled"].unique() if m in table)
    columns = [("", "label", ""), ("quantity", "quantity", ""), *((f"m = {m}", m, ".3f") for m in places)]
    note = f"The goal is within {GOAL:.0%} of 1. A residence that never ends, as predicted, has no ratio."
    return sheet(name, f"{how} / predicted", columns, table, note)


def _title(data: Behind) -> str:
    if data.summary["label"].str.contains("minimum size").any():
        return "A minimum registered size"
    small = data.coflows[0][1:]
    if len(small) == 1:
        return "A small coflow behind a wrongly labelled one"
    alike = "equal" if len({(each.flows, each.size) for each in small}) == 1 else "different"
    return f"{len(small)} small coflows of {alike} sizes behind a wrongly labelled one"


def _about(data: Behind) -> str:
    large, *small = data.coflows[0]
    behind_it = "; ".join(
        f"{format_time(each.arrival_s - large.arrival_s)} after it one of {each.flows} flows of "
        f"{format_size(each.size)}"
        for each in small
    )
    return (
        f"One sender of {format_rate(8 * data.sender_Bps)} of goodput. A coflow of {large.flows} flows of "
        f"{format_size(large.size)}, of which the first m carry no label; {behind_it}."
    )
