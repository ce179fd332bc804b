"""Charts of one run over time. They hold no data: the page's script gives them the run that the reader chooses."""

from __future__ import annotations

from testbed.analysis.page.specs import Spec, axis, chart, log_axis

ACCENT = "#1f83c9"
OTHER = "#8a8a8a"


def run_charts() -> dict[str, Spec]:
    """Name of the chart's place in the page -> its specification, without data."""
    return {
        "coflows": _coflows(),
        "gantt": _gantt(),
        "links": _links(),
        "layers": _layers(),
        "classes": _classes(),
        "decisions": _decisions(),
    }


def _time(field: str) -> Spec:
    return axis(field, "time (s)", scale={"nice": False, "zero": False})


def _coflows() -> Spec:
    """A bar per coflow from arrival to finish; the chosen one stands out."""
    bars = {
        "mark": {"type": "bar", "cursor": "pointer", "clip": True},
        "encoding": {
            "x": _time("arrival_s"),
            "x2": {"field": "end_s"},
            "y": {"field": "row", "type": "quantitative", "scale": {"reverse": True, "nice": False}, "axis": None},
            "y2": {"field": "row_end"},
            "color": {"condition": {"test": "datum.coflow === chosen", "value": "#d55e00"}, "value": OTHER},
            "tooltip": [
                {"field": "coflow"}, {"field": "flows"}, {"field": "size"}, {"field": "cct_s", "title": "CCT (s)"},
                {"field": "slowdown", "title": "CCT / Gamma"},
            ],
        },
    }  # fmt: skip
    return {**chart([bars], 220, zoom="x", filtered=False), "params": [{"name": "chosen", "value": None}]}


def _gantt() -> Spec:
    """A row per flow: pale while it waits for its first byte, solid while it is sent."""
    row = {"field": "label", "type": "ordinal", "sort": None, "title": None}
    tooltip = [
        {"field": "label", "title": "flow"}, {"field": "size"}, {"field": "planned_start_s", "title": "planned (s)"},
        {"field": "start_s", "title": "start (s)"}, {"field": "finish_s", "title": "finish (s)"},
    ]  # fmt: skip

    def bars(begin: str, end: str, opacity: float) -> Spec:
        return {
            "mark": {"type": "bar", "color": ACCENT, "opacity": opacity, "clip": True},
            "encoding": {"x": _time(begin), "x2": {"field": end}, "y": row, "tooltip": tooltip},
        }

    return chart(
        [bars("planned_start_s", "start_or_end_s", 0.3), bars("start_s", "end_s", 1)], 200, zoom="x", filtered=False
    )


def _links() -> Spec:
    """A row per link; the darker, the busier."""
    cells = {
        "mark": {"type": "rect", "color": ACCENT, "clip": True},
        "encoding": {
            "x": _time("from_s"),
            "x2": {"field": "to_s"},
            "y": {"field": "row", "type": "quantitative", "title": None,
                  "scale": {"reverse": True, "nice": False}, "axis": {"grid": False, "ticks": False}},
            "y2": {"field": "row_end"},
            "opacity": {"field": "percent", "type": "quantitative", "scale": {"domain": [0, 100], "range": [0, 1]},
                        "legend": None},
            "tooltip": [{"field": "link"}, {"field": "from_s", "title": "from (s)"},
                        {"field": "percent", "title": "% of rate"}],
        },
    }  # fmt: skip
    return chart([cells], 340, zoom="x", filtered=False)


def _layers() -> Spec:
    lines = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "clip": True},
        "encoding": {
            "x": _time("at_s"),
            "y": axis("percent", "% of rate, mean of the links", scale={"domainMin": 0}),
            "color": {"field": "layer", "type": "nominal", "sort": None, "title": None,
                      "legend": {"orient": "bottom", "columns": 2, "symbolType": "stroke"}},
            "tooltip": [{"field": "layer"}],
        },
    }  # fmt: skip
    return chart([lines], 200, zoom="x", filtered=False)


def _classes() -> Spec:
    areas = {
        "mark": {"type": "area", "interpolate": "step-after", "clip": True},
        "encoding": {
            "x": _time("at_s"),
            "y": axis("flows", "active flows", stack=True),
            "color": {"field": "class", "type": "ordinal", "title": "class (0 is served first)",
                      "scale": {"scheme": "viridis"}, "legend": {"orient": "bottom", "columns": 8}},
            "order": {"field": "class"},
            "tooltip": [{"field": "class"}],
        },
    }  # fmt: skip
    return chart([areas], 220, zoom="x", filtered=False)


def _decisions() -> Spec:
    dots = {
        "mark": {"type": "circle", "size": 18, "opacity": 0.6, "color": ACCENT, "clip": True},
        "encoding": {
            "x": _time("at_s"),
            "y": log_axis("ms", "latency (ms)"),
            "tooltip": [{"field": "at_s", "title": "at (s)"}, {"field": "ms", "title": "latency (ms)"},
                        {"field": "active_flows", "title": "active flows"}, {"field": "reason"}],
        },
    }  # fmt: skip
    return chart([dots], 220, filtered=False)
