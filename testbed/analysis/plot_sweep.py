"""Figures of a sweep: mean CCT against a varied field, a line per scheduler and source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullLocator

from testbed.analysis.coflows import DEFAULT_BASELINE, schedulers_of
from testbed.analysis.plot_style import (
    ROUND_DASHES,
    ROUND_MARKERS,
    SOURCE_DASHES,
    Look,
    label_panel,
    legend,
    looks,
    new_figure,
    scheduler_handles,
    styled,
)
from testbed.analysis.plots import save_figure
from testbed.analysis.sweep_data import Line, Sweep, mean_cct
from testbed.analysis.sweep_table import SweepTable
from testbed.errors import RecordsError

MOST_PANELS = 12
_MANY_TICKS = 12
_WIDE_SPAN = 30.0
"""Largest over least value from which an axis is logarithmic."""


def write_sweep_plots(table: SweepTable, folder: Path) -> list[Path]:
    """Draw mean CCT against each numeric field as PNG and PDF; returns the files, none where no field is numeric."""
    baseline = DEFAULT_BASELINE if (table.frame["scheduler"] == DEFAULT_BASELINE).any() else None
    look = looks(schedulers_of(table.frame, baseline), baseline)
    written: list[Path] = []
    sweeps = mean_cct(table)
    try:
        if sweeps:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsError(f"{folder}: plots cannot be written there ({error.strerror})") from error
    with styled():
        for sweep in sweeps:
            figure = draw_sweep(sweep, look)
            written += save_figure(figure, folder / f"mean-cct-by-{re.sub(r'[^A-Za-z0-9_]+', '-', sweep.field)}")
    return written


def draw_sweep(sweep: Sweep, look: dict[str, Look]) -> Figure:
    """Mean CCT against the field; a panel per combination of other fields, intervals where a point has several runs."""
    panels = sweep.panels[:MOST_PANELS]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(0.8 + 2.6 * rows, 5.6 if columns < 3 else 7.2)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    lines = [line for panel in panels for line in panel.lines]
    sources = {line.source for line in lines}
    for axes, panel in zip(grid.flat, panels, strict=False):
        for line in panel.lines:
            _draw_line(axes, line, _style(look[line.scheduler], line.source, len(sources)))
        label_panel(axes, panel.title)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    _axes(grid[0, 0], sweep, lines)
    for axes in grid[-1, :]:
        axes.set_xlabel(sweep.field)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"mean CCT (s), {next(iter(sources))}" if len(sources) == 1 else "mean CCT (s)")
    names = list(dict.fromkeys(line.scheduler for line in lines))
    legend(figure, scheduler_handles(names, look, sources))
    return figure


def _style(look: Look, source: str, sources: int) -> dict[str, Any]:
    return {
        "color": look.colour,
        "linestyle": SOURCE_DASHES[source] if sources > 1 else ROUND_DASHES[look.round],
        "marker": ROUND_MARKERS[look.round] or "o",
        "markersize": 3.5,
    }


def _draw_line(axes: Axes, line: Line, style: dict[str, Any]) -> None:
    axes.plot(line.at, line.mean_s, **style)
    if np.isfinite(line.low_s).any():
        below, above = line.mean_s - line.low_s, line.high_s - line.mean_s
        axes.errorbar(line.at, line.mean_s, yerr=(np.maximum(below, 0), np.maximum(above, 0)), fmt="none",
                      ecolor=style["color"], elinewidth=0.9, capsize=2)  # fmt: skip


def _axes(axes: Axes, sweep: Sweep, lines: list[Line]) -> None:
    at = np.unique(np.concatenate([line.at for line in lines]))
    if at[0] > 0 and at[-1] / at[0] >= _WIDE_SPAN:
        axes.set_xscale("log")
    if len(at) <= _MANY_TICKS:
        axes.xaxis.set_major_locator(FixedLocator(list(at)))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(unit=sweep.unit) if sweep.unit else FuncFormatter(_plain))
    means = np.concatenate([line.mean_s for line in lines])
    least, most = np.nanmin(means), np.nanmax(means)
    if least > 0 and most / least >= _WIDE_SPAN:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _plain(value: float, _position: float) -> str:
    return f"{value:g}"
