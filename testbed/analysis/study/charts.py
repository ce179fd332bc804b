"""The figures of the study as Vega-Lite, for its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from testbed.analysis.page.specs import PALETTE, Rows, Spec, axis, chart, reference_line, rounded, thinned
from testbed.analysis.study.shares import ALL, LABELLED
from testbed.analysis.study.starts import GOAL_S

HEIGHT = 260
CURVES = {"measured": [1, 0], "simulated": [5, 3], "predicted": [1, 0]}
"""How a curve came about -> its dashes; what is predicted is drawn wide and pale, under the others."""
OF_SOURCE = {"emulation": "measured", "simulation": "simulated"}
_SETS = {ALL: [1, 0], LABELLED: [5, 3]}
_CURVE_POINTS = 300


def against_m(summary: pd.DataFrame, colour_by: str, value: str, predicted: str, unit: str) -> Spec:
    """One quantity against flows without a label: measured with intervals, simulated, predicted.

    `value`, `predicted`: columns; `colour_by`: the column that gives colours.
    """
    names = list(dict.fromkeys(summary[colour_by]))
    rows = [row for row in curves(summary, colour_by, value, predicted) if row["value"] is not None]
    colour = _nominal("what", names, PALETTE)
    x = axis("m", "flows without a label (m)", axis={"tickMinStep": 1, "format": "d"})
    y = axis("value", unit, scale={"zero": True})
    shown = [{"field": "what"}, {"field": "how"}, {"field": "m"}, {"field": "value", "format": ".3f"}]
    line: Spec = {
        "mark": {"type": "line"},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**colour, "title": None},
            "strokeDash": _of_curve(list(CURVES.values())),
            "strokeWidth": _of_curve([2, 2, 7]),
            "strokeOpacity": _of_curve([1, 1, 0.3]),
        },
    }
    dots: Spec = {
        "transform": [{"filter": "datum.how !== 'predicted'"}],
        "mark": {"type": "point", "size": 34},
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "fill": {**colour, "legend": None},
            "fillOpacity": {**_of_curve([1, 0, 0]), "legend": None},
            "tooltip": shown,
        },
    }
    bars: Spec = {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule"},
            "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"},
                         "color": colour}}  # fmt: skip
    layers = [line, dots, bars] if any(row.get("low") is not None for row in rows) else [line, dots]
    return chart(layers, HEIGHT, data=rows, filtered=False)


def curves(summary: pd.DataFrame, colour_by: str, value: str, predicted: str) -> Rows:
    """Points of the curves: what, how (a key of CURVES), m, value, and low and high of a measured one."""
    rows: Rows = []
    for (what, source), part in summary.groupby([colour_by, "source"], sort=False):
        part = part.sort_values("unlabelled")
        scale = part[value] / part["mean_s"]  # of the interval, where the value is a multiple of seconds
        low, high = (rounded(part[name] * scale) for name in ("low_s", "high_s"))
        for i, (m, mean) in enumerate(zip(part["unlabelled"], rounded(part[value]), strict=True)):
            measured = source == "emulation"
            rows.append({"what": what, "how": OF_SOURCE[str(source)], "m": int(m), "value": mean,
                         "low": low[i] if measured else None, "high": high[i] if measured else None})  # fmt: skip
    for what, part in summary.groupby(colour_by, sort=False):
        once = part.drop_duplicates("unlabelled").sort_values("unlabelled")
        for m, expected in zip(once["unlabelled"], rounded(once[predicted]), strict=True):
            rows.append({"what": what, "how": "predicted", "m": int(m), "value": expected, "low": None, "high": None})
    return rows


def against_share(summary: pd.DataFrame, value: str, unit: str) -> Spec:
    """One statistic of CCT against the share of flows without a label, over its value with every label there."""
    rows = [
        {"scheduler": row["scheduler"], "of": row["set"], "how": OF_SOURCE[row["source"]], "share": row["share"],
         "value": rounded([row[value]])[0], "coflows": row["coflows"],
         **({"low": rounded([row["low"]])[0], "high": rounded([row["high"]])[0]} if value == "times" else {})}
        for row in summary.to_dict("records") if not np.isnan(row[value])
    ]  # fmt: skip
    names = list(dict.fromkeys(summary["scheduler"]))
    colour = _nominal("scheduler", names, PALETTE)
    x = axis("share", "share of flows without a label")
    y = axis("value", unit, scale={"zero": False})
    shape = _nominal("how", list(OF_SOURCE.values()), ["circle", "triangle-up"])
    shown = [{"field": name} for name in ("scheduler", "of", "how", "share", "value", "coflows")]
    line: Spec = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**colour, "title": None},
            "detail": {"field": "how"},
            "strokeDash": {**_nominal("of", list(_SETS), list(_SETS.values())), "title": None},
        },
    }
    dots: Spec = {
        "mark": {"type": "point", "filled": True, "size": 40},
        "encoding": {"x": x, "y": y, "color": colour, "shape": {**shape, "title": None}, "tooltip": shown},
    }
    bars: Spec = {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule", "opacity": 0.6},
            "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"},
                         "color": colour}}  # fmt: skip
    layers = [line, dots, bars] if any(row.get("low") is not None for row in rows) else [line, dots]
    return chart(layers, HEIGHT, data=rows, filtered=False)


def late_cdf(starts: pd.DataFrame) -> Spec:
    """Share of flows that started within a time of their planned instant, a curve per sweep."""
    rows: Rows = []
    for sweep, part in starts.groupby("sweep", sort=False):
        late = np.sort(part["late_s"].to_numpy(dtype=np.float64)) * 1e3
        picked = thinned(len(late), _CURVE_POINTS)
        for ms, place in zip(rounded(late[picked]), picked, strict=True):
            rows.append({"sweep": sweep, "ms": ms, "share": round((place + 1) / len(late), 5)})
    colour = {**_nominal("sweep", list(dict.fromkeys(starts["sweep"])), PALETTE), "title": None}
    line = {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
            "encoding": {"x": axis("ms", "start after the planned instant (ms)"), "y": axis("share", "share of flows"),
                         "color": colour}}  # fmt: skip
    return chart([line, reference_line("x", GOAL_S * 1e3)], HEIGHT, data=rows, filtered=False)


def late_scatter(starts: pd.DataFrame) -> Spec:
    """How late each flow started against when it was planned to; of many an even choice."""
    picked = starts.iloc[thinned(len(starts))]
    rows = [{"sweep": row["sweep"], "planned": round(row["planned_s"], 4), "ms": round(row["late_s"] * 1e3, 4)}
            for row in picked.to_dict("records")]  # fmt: skip
    colour = {**_nominal("sweep", list(dict.fromkeys(starts["sweep"])), PALETTE), "title": None}
    dots = {"mark": {"type": "point", "filled": True, "size": 14, "opacity": 0.5},
            "encoding": {"x": axis("planned", "planned start (s)"), "y": axis("ms", "start after that (ms)"),
                         "color": colour}}  # fmt: skip
    return chart([dots, reference_line("y", GOAL_S * 1e3)], HEIGHT, data=rows, filtered=False)


def _of_curve(looks: Sequence[Any]) -> Spec:
    """A channel that tells measured, simulated and predicted apart; all such share one legend."""
    return {**_nominal("how", list(CURVES), looks), "type": "ordinal", "sort": list(CURVES), "title": None}


def _nominal(field: str, domain: Sequence[Any], looks: Sequence[Any]) -> Spec:
    ranged = [looks[place % len(looks)] for place in range(len(domain))]
    return {"field": field, "type": "nominal", "scale": {"domain": list(domain), "range": ranged}}
