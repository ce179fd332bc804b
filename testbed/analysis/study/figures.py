"""The figures of the study, drawn for PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from testbed.analysis.page.specs import thinned
from testbed.analysis.plot_style import PALETTE, label_panel, legend, new_figure
from testbed.analysis.study.charts import CURVES, OF_SOURCE, curves
from testbed.analysis.study.shares import ALL, LABELLED
from testbed.analysis.study.starts import GOAL_S

_WIDE_IN = 7.2
_LINES: dict[str, dict[str, Any]] = {
    "measured": {"linestyle": "-", "marker": "o", "markersize": 3.5},
    "simulated": {"linestyle": (0, (4, 1.5)), "marker": "o", "markersize": 3.5, "markerfacecolor": "none"},
    "predicted": {"linestyle": "-", "linewidth": 5, "alpha": 0.25},
}
_SETS: dict[str, Any] = {ALL: "-", LABELLED: (0, (4, 1.5))}
_MARKERS = {"emulation": "o", "simulation": "^"}


def draw_against_m(
    panels: Sequence[tuple[str, pd.DataFrame]], colour_by: str, value: str, predicted: str, unit: str
) -> Figure:
    """A panel per title and part of a summary: measured with intervals, simulated and predicted against m."""
    figure = new_figure(3.4, _WIDE_IN)
    grid = figure.subplots(1, len(panels), squeeze=False)
    names = list(dict.fromkeys(name for _, summary in panels for name in summary[colour_by]))
    colour = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
    hows: dict[str, None] = {}
    for axes, (title, summary) in zip(grid.flat, panels, strict=True):
        points = pd.DataFrame(curves(summary, colour_by, value, predicted)).dropna(subset=["value"])
        for (what, how), part in points.groupby(["what", "how"], sort=False):
            hows.setdefault(str(how))
            axes.plot(part["m"], part["value"], color=colour[what], **_LINES[str(how)])
            _bars(axes, part["m"], part["value"], part["low"], part["high"], colour[what])
        axes.set_xlabel("flows without a label (m)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0)
        label_panel(axes, title)
    grid[0, 0].set_ylabel(unit)
    handles = [Line2D([], [], color=colour[name], label=name) for name in names]
    handles += [Line2D([], [], color="black", label=how, **_LINES[how]) for how in CURVES if how in hows]
    legend(figure, handles, columns=6 if len(handles) > 4 else 4)
    return figure


def draw_against_share(summary: pd.DataFrame) -> Figure:
    """Mean and 95th percentile of CCT over those with every label there, a column of panels per point."""
    points = list(dict.fromkeys(summary["point"]))
    figure = new_figure(4.6, _WIDE_IN)
    grid = figure.subplots(2, len(points), squeeze=False, sharex=True, sharey="row")
    schedulers = list(dict.fromkeys(summary["scheduler"]))
    colour = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(schedulers)}
    for column, point in enumerate(points):
        mine = summary[summary["point"] == point]
        for (scheduler, source, name), part in mine.groupby(["scheduler", "source", "set"], sort=False):
            for row, value in enumerate(("times", "p95_times")):
                axes = grid[row, column]
                axes.plot(part["share"], part[value], color=colour[scheduler], linestyle=_SETS[str(name)],
                          marker=_MARKERS[str(source)], markersize=3.5)  # fmt: skip
                if value == "times":
                    _bars(axes, part["share"], part["times"], part["low"], part["high"], colour[scheduler])
        label_panel(grid[0, column], point)
        grid[1, column].set_xlabel("share without a label")
    grid[0, 0].set_ylabel("mean CCT / with labels")
    grid[1, 0].set_ylabel("p95 CCT / with labels")
    handles = [Line2D([], [], color=colour[name], label=name) for name in schedulers]
    handles += [Line2D([], [], color="black", linestyle=dash, label=name) for name, dash in _SETS.items()]
    handles += [Line2D([], [], color="black", linestyle="", marker=_MARKERS[source], label=OF_SOURCE[source])
                for source in dict.fromkeys(summary["source"])]  # fmt: skip
    legend(figure, handles, columns=2)
    return figure


def draw_starts(starts: pd.DataFrame) -> Figure:
    """Left the distribution of how late flows started, right each flow against its planned instant."""
    figure = new_figure(3.2, _WIDE_IN)
    left, right = figure.subplots(1, 2)
    sweeps = list(dict.fromkeys(starts["sweep"]))
    colour = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(sweeps)}
    for sweep, part in starts.groupby("sweep", sort=False):
        late = np.sort(part["late_s"].to_numpy(dtype=np.float64)) * 1e3
        left.step(late, np.arange(1, len(late) + 1) / len(late), where="post", color=colour[sweep])
    left.axvline(GOAL_S * 1e3, color="black", linewidth=0.8)
    left.set_xlabel("start after the planned instant (ms)")
    left.set_ylabel("share of flows")
    picked = starts.iloc[thinned(len(starts))]
    right.scatter(picked["planned_s"], picked["late_s"] * 1e3, s=4, color=[colour[name] for name in picked["sweep"]])
    right.axhline(GOAL_S * 1e3, color="black", linewidth=0.8)
    right.set_xlabel("planned start (s)")
    right.set_ylabel("start after that (ms)")
    legend(figure, [Line2D([], [], color=colour[name], label=name) for name in sweeps])
    return figure


def _bars(axes: Axes, at: Any, mean: Any, low: Any, high: Any, colour: str) -> None:
    """Intervals where there are any."""
    at, mean, low, high = (np.asarray(values, dtype=np.float64) for values in (at, mean, low, high))
    there = np.isfinite(low)
    if there.any():
        spread = (np.maximum(mean - low, 0)[there], np.maximum(high - mean, 0)[there])
        axes.errorbar(at[there], mean[there], yerr=spread, fmt="none", ecolor=colour, elinewidth=0.9, capsize=2)
