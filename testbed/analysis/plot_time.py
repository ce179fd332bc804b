"""Figures over time: Gantt chart of flows, utilisation of links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from testbed.analysis.figure_data import Gantt, Utilisation
from testbed.analysis.plot_style import PALETTE, label_panel, legend, new_figure
from testbed.coflow import NONE, Floats
from testbed.units import format_time

OTHERS = ("#8c8c8c", "#b3b3b3")
"""Coflows that are not named, by turns, so that neighbours can be told apart."""
BACKGROUND = "#e3cf9f"
WAITING = 0.25
"""Opacity of a flow that waits for its scheduler."""
_WIDTH_IN = 7.2
_PANEL_IN = (2.1, 1.4)
"""Height of a panel where there are up to four, and where there are more."""
_FILLED = 0.9
"""Share of a lane that is drawn, so that lanes can be told apart."""
_RASTER = 2000
"""Bars beyond this number are drawn as pixels in PDF too."""


def draw_gantt(charts: Sequence[Gantt], *, name_repeat: bool = False) -> Figure:
    """One panel per scheduler, all with the same axes; a lane for each coflow in progress, its flows inside it.

    `name_repeat`: say in each title which repeat is shown.
    """
    figure = new_figure(0.9 + _PANEL_IN[len(charts) > 4] * len(charts), _WIDTH_IN)
    panels = figure.subplots(len(charts), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    colour = {coflow: PALETTE[place % len(PALETTE)] for place, coflow in enumerate(charts[0].heaviest)}
    for axes, chart in zip(panels, charts, strict=True):
        _draw_bars(axes, chart, colour)
        repeat = f", repeat {chart.repeat}" if name_repeat else ""
        mean = format_time(chart.mean_cct_s)
        label_panel(axes, f"{chart.scheduler} ({chart.source}{repeat}): mean CCT {mean}")
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(0, max(chart.finish_s.max(initial=0.0) for chart in charts) * 1.01 or 1.0)
    handles = [Patch(color=shade, label=f"coflow {coflow}") for coflow, shade in colour.items()]
    if any(set(chart.coflow.tolist()) - {*colour, NONE} for chart in charts):
        handles.append(Patch(color=OTHERS[0], label="other coflows"))
    if any((chart.coflow == NONE).any() for chart in charts):
        handles.append(Patch(color=BACKGROUND, label="background"))
    if any((chart.start_s - chart.planned_s).max(initial=0.0) > panels[-1].get_xlim()[1] / 200 for chart in charts):
        handles.append(Patch(color=OTHERS[0], alpha=WAITING, label="waiting"))
    legend(figure, handles, columns=6)
    return figure


def _draw_bars(axes: Axes, chart: Gantt, colour: dict[int, str]) -> None:
    lane = np.floor(chart.low + 1e-9)
    first = np.diff(chart.coflow, prepend=chart.coflow[:1] - 1) != 0
    turn = np.cumsum(first) % 2
    shades = np.array([
        colour.get(coflow, BACKGROUND if coflow == NONE else OTHERS[turn])
        for coflow, turn in zip(chart.coflow.tolist(), turn.tolist(), strict=True)
    ], dtype=str)  # fmt: skip
    low, high = (lane + _FILLED * (side - lane) for side in (chart.low, chart.high))
    settings: dict[str, Any] = {"linewidth": 0, "antialiased": False, "rasterized": len(shades) > _RASTER}
    waited = chart.start_s > chart.planned_s
    for chosen, begin, end, opacity in (
        (waited, chart.planned_s, chart.start_s, WAITING),
        (np.ones(len(shades), dtype=bool), chart.start_s, chart.finish_s, 1.0),
    ):
        bars = _rectangles(begin[chosen], end[chosen], low[chosen], high[chosen])
        axes.add_collection(PolyCollection(bars, facecolors=shades[chosen].tolist(), alpha=opacity, **settings))
    axes.set_ylim(0, max(float(chart.high.max(initial=1.0)), axes.get_ylim()[1]))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("coflows in progress")
    axes.grid(visible=False, axis="y")


def _rectangles(begin: Floats, end: Floats, low: Floats, high: Floats) -> Any:
    """Corners as an array [bar, corner, (x, y)]."""
    corners = np.empty((len(begin), 4, 2))
    corners[:, 0, 0] = corners[:, 1, 0] = begin
    corners[:, 2, 0] = corners[:, 3, 0] = end
    corners[:, 0, 1] = corners[:, 3, 1] = low
    corners[:, 1, 1] = corners[:, 2, 1] = high
    return corners


def draw_utilisation(maps: Sequence[Utilisation], *, name_repeat: bool = False) -> Figure:
    """One panel per scheduler: a row for each link, from the hosts up to the core and down again; dark is busy."""
    figure = new_figure(0.8 + _PANEL_IN[len(maps) > 4] * len(maps), _WIDTH_IN)
    panels = figure.subplots(len(maps), 1, sharex=True, squeeze=False)[:, 0]
    image = None
    for axes, chart in zip(panels, maps, strict=True):
        rows = np.arange(len(chart.share) + 1)
        image = axes.pcolormesh(chart.edges_s, rows, chart.share * 100, cmap="Blues", vmin=0, vmax=100, rasterized=True)
        axes.invert_yaxis()
        axes.grid(visible=False)
        last = np.cumsum([count for _, count in chart.groups])
        for edge in last[:-1]:
            axes.axhline(edge, color="#999999", linewidth=0.8)
        middle = last - np.array([count for _, count in chart.groups]) / 2
        axes.set_yticks(middle, [name for name, _ in chart.groups])
        axes.tick_params(axis="y", length=0)
        repeat = f", repeat {chart.repeat}" if name_repeat else ""
        per_link = np.average(chart.share, axis=1, weights=np.diff(chart.edges_s))
        label_panel(axes, f"{chart.scheduler} ({chart.source}{repeat}): links busy {per_link.mean():.0%} on average, "
                          f"the busiest {per_link.max():.0%}")  # fmt: skip
    panels[-1].set_xlabel("time (s)")
    panels[-1].set_xlim(0, max(chart.edges_s[-1] for chart in maps))
    if image is not None:
        bar = figure.colorbar(image, ax=panels[0], pad=0.01, aspect=12)
        bar.set_label("% of its rate")
        bar.outline.set_visible(False)
    return figure
