"""Chart of the times between departures at a saturated link, measured against the ideal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.analysis.figure_data import DepartureCurve, departure_curves
from testbed.analysis.page.cct_charts import Chart
from testbed.analysis.page.specs import (
    Rows,
    Spec,
    axis,
    by_scheduler,
    chart,
    log_axis,
    reference_line,
    rounded,
    thinned,
)
from testbed.analysis.plots import Shown

_POINTS, _TAIL = 300, 100
"""Of one line: an even choice, and the rarest gaps one by one."""


def departure_charts(shown: Shown, palette: dict[str, str]) -> Iterator[Chart]:
    """The chart, where emulated runs noted departures."""
    curves = departure_curves(shown.runs, shown.baseline)
    if curves:
        yield Chart(
            "departures", "Departures at a saturated link",
            "Share of the times between frames of one queue that are longer than a multiple of the ideal, a frame at "
            "the link's rate: an ideal link falls to nothing at 1.",
            departures_spec(curves, palette), both_sources=False,
        )  # fmt: skip


def departures_spec(curves: Sequence[DepartureCurve], palette: dict[str, str]) -> Spec:
    """A line of steps per scheduler, and one at the ideal."""
    rows: Rows = []
    for curve in curves:
        seen = curve.longer > 0  # the longest of all has none longer: nothing on a logarithmic axis
        ratio, longer = curve.ratio[seen], curve.longer[seen]
        picked = sorted({*thinned(len(ratio), _POINTS), *range(max(len(ratio) - _TAIL, 0), len(ratio))})
        for gap, share in zip(rounded(ratio[picked]), rounded(longer[picked]), strict=True):
            rows.append({"scheduler": curve.scheduler, "source": "emulation", "gap": gap, "longer": share})
    encoding = {
        "x": axis("gap", "time between departures (multiples of the ideal)"),
        "y": log_axis("longer", "share longer"),
        "color": by_scheduler(palette),
    }
    tooltip = [{"field": "scheduler"}, {"field": "gap", "title": "gap / ideal"}, {"field": "longer"}]
    lines = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "clip": True},
        "encoding": encoding,
    }
    dots = {
        "mark": {"type": "point", "opacity": 0, "size": 60, "clip": True},
        "encoding": {**encoding, "tooltip": tooltip},
    }
    return chart([lines, dots, reference_line("x", 1)], 300, zoom="x", data=rows)
