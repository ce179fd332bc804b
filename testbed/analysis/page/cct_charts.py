"""Charts of CCT over all runs of one experiment: distribution, size bins, factors, emulated against simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from testbed.analysis.agreement import LEAST_GAMMA_S
from testbed.analysis.bins import BINS
from testbed.analysis.figure_data import Agreement, Boxes, Curve, Factors, agreements, cct_boxes, cct_curves, factors
from testbed.analysis.page.specs import (
    Rows,
    Spec,
    axis,
    by_scheduler,
    by_source,
    chart,
    log_axis,
    reference_line,
    rounded,
    thinned,
)
from testbed.analysis.plots import Shown
from testbed.coflow import Floats

_CURVE_POINTS = 400
_BIN_WORDS = {"SN": "short, narrow", "LN": "long, narrow", "SW": "short, wide", "LW": "long, wide"}
_WHO = [{"field": "scheduler"}, {"field": "source"}]


@dataclass(frozen=True)
class Chart:
    """A chart and the words about it."""

    name: str
    title: str
    caption: str
    spec: Spec
    both_sources: bool = True
    """Whether it tells emulation from simulation."""


def cct_charts(shown: Shown, palette: dict[str, str]) -> Iterator[Chart]:
    """The charts that these runs have the data for."""
    curves = [curve for curve in cct_curves(shown.coflows, shown.baseline) if len(curve.value)]
    if curves:
        yield Chart(
            "cct-cdf", "Coflow completion times",
            "Share of coflows complete within a time. Solid: emulated; dashed: simulated. A curve that ends below 1 "
            "has coflows that did not finish.", cdf_spec(curves, palette),
        )  # fmt: skip
    boxes = cct_boxes(shown.coflows, shown.limits, shown.baseline)
    domain = _domain([np.percentile(cct, (5, 95)) for box in boxes for cct in box.cct_s.values()])
    for source in dict.fromkeys(box.source for box in boxes):
        mine = [box for box in boxes if box.source == source]
        yield Chart(
            f"cct-by-bin-{source}", f"CCT by size, {'emulated' if source == 'emulation' else 'simulated'}",
            f"Box from quartile to quartile, line at the median, whiskers from 5 to 95 %, dot at the mean. "
            f"{shown.limits}.", boxes_spec(mine, palette, domain), both_sources=False,
        )  # fmt: skip
    data = factors(shown.coflows, shown.baseline) if shown.baseline is not None else []
    if data:
        yield Chart(
            "factor-per-coflow", f"Factor per coflow against {shown.baseline}",
            f"CCT under {shown.baseline} / CCT of the same coflow, against Gamma (its CCT when alone): above 1 it was "
            "faster. Filled: emulated; hollow: simulated.", factors_spec(data, palette),
        )  # fmt: skip


def agreement_chart(shown: Shown, palette: dict[str, str]) -> Chart | None:
    """Emulated against simulated; None where no coflow was run both ways."""
    data = agreements(shown.coflows, shown.baseline)
    if not data:
        return None
    return Chart(
        "emulated-vs-simulated", "Emulated against simulated",
        f"One dot per coflow; on the line both took the same time, between the thin lines within 10 %. Hollow: Gamma "
        f"under {LEAST_GAMMA_S * 1000:g} ms, where round trips weigh most; not in the table.",
        agreement_spec(data, palette), both_sources=False,
    )  # fmt: skip


def cdf_spec(curves: Sequence[Curve], palette: dict[str, str]) -> Spec:
    """Steps per scheduler and source, from the share 0 on."""
    rows: Rows = []
    for curve in curves:
        picked = thinned(len(curve.value), _CURVE_POINTS)
        values, shares = rounded(curve.value[picked]), rounded(curve.share[picked])
        for value, share in zip([values[0], *values], [0.0, *shares], strict=True):
            rows.append({"scheduler": curve.scheduler, "source": curve.source, "cct": value, "share": share})
    rows = [row for row in rows if row["cct"]]
    encoding = {
        "x": log_axis("cct", "CCT (s)", domain=_domain([curve.value for curve in curves])),
        "y": axis("share", "share of coflows", scale={"domain": [0, 1]}),
        "color": by_scheduler(palette),
    }
    tooltip = [*_WHO, {"field": "cct", "title": "CCT (s)"}, {"field": "share"}]
    lines = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "clip": True},
        "encoding": {**encoding, "strokeDash": by_source()},
    }
    dots = {
        "mark": {"type": "point", "opacity": 0, "size": 60, "clip": True},
        "encoding": {**encoding, "tooltip": tooltip},
    }
    return chart([lines, dots], 300, zoom="x", data=rows)


def _domain(values: Sequence[Floats]) -> list[float | None]:
    """From a little below the least positive value to a little above the largest."""
    every = np.concatenate(values) if len(values) else np.empty(0)
    every = every[every > 0]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.1, 10.0)
    return rounded([low / 1.12, high * 1.12])


def boxes_spec(boxes: Sequence[Boxes], palette: dict[str, str], domain: list[float | None]) -> Spec:
    """A group of boxes for each bin, one box per scheduler; `domain`: of the CCTs."""
    rows: Rows = []
    for box in boxes:
        for name, cct in box.cct_s.items():
            low, quarter, median, three, high = rounded(np.percentile(cct, (5, 25, 50, 75, 95)))
            (mean,) = rounded([cct.mean()])
            rows.append({
                "scheduler": box.scheduler, "source": box.source, "bin": _BIN_WORDS[name], "coflows": len(cct),
                "p5": low, "q1": quarter, "median": median, "q3": three, "p95": high, "mean": mean,
            })  # fmt: skip
    present = [_BIN_WORDS[name] for name in BINS if any(name in box.cct_s for box in boxes)]
    place = {
        "x": {"field": "bin", "type": "nominal", "sort": present, "title": None,
              "axis": {"labelAngle": 0, "labelExpr": "split(datum.label, ', ')", "labelOverlap": False}},
        "xOffset": {"field": "scheduler", "sort": list(palette)},
        "color": by_scheduler(palette),
        "tooltip": [
            {"field": "scheduler"}, {"field": "bin"}, {"field": "coflows"},
            *({"field": name, "title": f"{name} (s)"} for name in ("p5", "q1", "median", "mean", "q3", "p95")),
        ],
    }  # fmt: skip

    def layer(mark: Spec, y: str, y2: str | None = None) -> Spec:
        ends = {"y": log_axis(y, "CCT (s)", domain=domain), **({"y2": {"field": y2}} if y2 else {})}
        return {"mark": mark, "encoding": {**place, **ends}}

    return chart([
        layer({"type": "rule", "strokeWidth": 1.5}, "p5", "p95"),
        layer({"type": "bar", "fillOpacity": 0.45, "strokeWidth": 1}, "q1", "q3"),
        layer({"type": "tick", "thickness": 2.5, "orient": "horizontal"}, "median"),
        layer({"type": "circle", "size": 26, "opacity": 1}, "mean"),
    ], 280, zoom="", data=rows)  # fmt: skip


def factors_spec(data: Sequence[Factors], palette: dict[str, str]) -> Spec:
    """A dot per coflow."""
    rows: Rows = []
    for part in data:
        for i in thinned(len(part.factor)):
            gamma, factor = rounded([part.gamma_s[i], part.factor[i]])
            if gamma and factor:
                rows.append({"scheduler": part.scheduler, "source": part.source, "coflow": int(part.coflow[i]),
                             "gamma": gamma, "factor": factor, "hollow": part.source == "simulation"})  # fmt: skip
    dots = {
        "mark": {"type": "point", "size": 36, "opacity": 0.85, "clip": True},
        "encoding": {
            "x": log_axis("gamma", "Gamma (s)", domain=_domain([part.gamma_s for part in data])),
            "y": log_axis("factor", "factor", domain=_domain([part.factor for part in data])),
            **_dots(palette),
            "tooltip": [*_WHO, {"field": "coflow"}, {"field": "gamma", "title": "Gamma (s)"}, {"field": "factor"}],
        },
    }
    return chart([dots, reference_line("y", 1)], 300, data=rows)


def _dots(palette: dict[str, str]) -> Spec:
    """Filled, or hollow where the row says so."""
    fill = {**by_scheduler(palette), "condition": {"test": "datum.hollow", "value": "transparent"}}
    return {"color": by_scheduler(palette), "fill": fill}


def agreement_spec(data: Sequence[Agreement], palette: dict[str, str]) -> Spec:
    """A dot per coflow, both axes alike, and the lines of equality and of 10 % more and less."""
    rows: Rows = []
    for part in data:
        for i in thinned(len(part.coflow)):
            simulated, emulated, ratio, gamma = rounded(
                [part.simulated_s[i], part.emulated_s[i], part.ratio[i], part.gamma_s[i]]
            )
            rows.append({"scheduler": part.scheduler, "source": "emulation", "coflow": int(part.coflow[i]),
                         "simulated": simulated, "emulated": emulated, "ratio": ratio, "gamma": gamma,
                         "hollow": bool(part.gamma_s[i] < LEAST_GAMMA_S)})  # fmt: skip
    domain = _domain([values for part in data for values in (part.simulated_s, part.emulated_s)])
    x, y = (log_axis(name, f"CCT {name} (s)", domain=domain) for name in ("simulated", "emulated"))
    lines = [
        {
            "data": {"values": [{"simulated": end, "emulated": (end or 1.0) * factor} for end in domain]},
            "mark": {"type": "line", "color": "currentColor", "opacity": 0.8 if factor == 1 else 0.35,
                     "strokeWidth": 1, "clip": True},
            "encoding": {"x": x, "y": y},
        }
        for factor in (0.9, 1, 1.1)
    ]  # fmt: skip
    dots = {
        "mark": {"type": "point", "size": 40, "opacity": 0.85, "clip": True},
        "encoding": {
            "x": x, "y": y, **_dots(palette),
            "tooltip": [{"field": "scheduler"}, {"field": "coflow"}, {"field": "emulated", "title": "emulated (s)"},
                        {"field": "simulated", "title": "simulated (s)"}, {"field": "ratio"},
                        {"field": "gamma", "title": "Gamma (s)"}],
        },
    }  # fmt: skip
    return chart([dots, *lines], 360, data=rows)
