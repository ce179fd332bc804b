"""What the charts of the page have in common, as Vega-Lite: colours, axes, filters, zoom.

Colours of axes and text are left to the page (`currentColor`), so that one chart is right in light, dark and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from testbed.coflow import Floats

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

BASELINE_COLOUR = "#7f7f7f"
PALETTE = (
    "#1f83c9", "#d55e00", "#009e73", "#c264a0", "#b8860b", "#7b6bd6",
    "#2a9d9d", "#9c6644", "#7d8f2a", "#d1495b", "#5f7fa3", "#9b5094",
)  # fmt: skip
"""Between light and dark, so that they stand out from white and from black."""
MOST_POINTS = 3000
"""Dots of one chart; of more, an even choice is drawn."""
_SHOWN = "indexof(schedulers, datum.scheduler) >= 0 && indexof(sources, datum.source) >= 0"


def colours(schedulers: Sequence[str], baseline: str | None) -> dict[str, str]:
    """Scheduler -> colour: grey for the baseline; when the colours run out they come round again."""
    others = [name for name in schedulers if name != baseline]
    found = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(others)}
    return {name: found.get(name, BASELINE_COLOUR) for name in schedulers}


def by_scheduler(palette: dict[str, str]) -> Spec:
    """The colour channel. The legend is the page's own: a row of buttons above the chart."""
    return {
        "field": "scheduler",
        "type": "nominal",
        "scale": {"domain": list(palette), "range": list(palette.values())},
        "legend": None,
    }


def by_source() -> Spec:
    """The dash channel: emulation solid, simulation dashed."""
    scale = {"domain": ["emulation", "simulation"], "range": [[1, 0], [5, 3]]}
    return {"field": "source", "type": "nominal", "scale": scale, "legend": None}


def log_axis(field: str, title: str, **settings: Any) -> Spec:
    """A channel on a logarithmic axis with plain numbers; `settings` are of the scale."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "nice": False, **settings},
        "axis": {"format": "~g", "tickCount": 6},
    }


def axis(field: str, title: str, **settings: Any) -> Spec:
    """A channel on a linear axis; `settings` are of the channel."""
    return {"field": field, "type": "quantitative", "title": title, **settings}


def chart(
    layers: Sequence[Spec], height: int, *, zoom: str = "xy", data: Rows | None = None, filtered: bool = True
) -> Spec:
    """A chart as wide as its place. `zoom`: directions in which it zooms, '' for none; on its first layer.

    `filtered`: rows have a scheduler and a source, and only those that the page shows are drawn; its script sets the
    lists of both.
    """
    first, *others = layers
    if zoom:
        grid = {"name": "grid", "bind": "scales", "select": {
            "type": "interval", "encodings": list(zoom), "zoom": "wheel![event.shiftKey]",
            "translate": "[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
        }}  # fmt: skip
        first = {**first, "params": [*first.get("params", []), grid]}
    spec: Spec = {"width": "container", "height": height, "layer": [first, *others]}
    if data is not None:
        spec["data"] = {"values": data}
    if filtered:
        spec["params"] = [{"name": "schedulers", "value": []}, {"name": "sources", "value": []}]
        spec["transform"] = [{"filter": _SHOWN}]
    return spec


def reference_line(channel: str, value: float) -> Spec:
    """A thin line across the chart at a value of one axis."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": "currentColor", "opacity": 0.6, "tooltip": None},
        "encoding": {channel: {"datum": value}},
    }


def rounded(values: Floats | Iterable[float], digits: int = 5) -> list[float | None]:
    """To so many significant digits, NaN as None: a file of figures that nobody reads to the nanosecond."""
    return [None if np.isnan(value) else float(f"{value:.{digits}g}") for value in np.asarray(values, dtype=np.float64)]


def thinned(count: int, most: int = MOST_POINTS) -> list[int]:
    """Indices of an even choice of at most `most` of `count` things, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [int(place) for place in np.unique(np.linspace(0, count - 1, most).round())]
