"""Figures of CCT: distribution, by size bin, factor against the baseline, emulated against simulated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from testbed.analysis.bins import BINS, BinLimits
from testbed.analysis.figure_data import SOURCES, Agreement, Boxes, Curve, Factors, cumulative
from testbed.analysis.plot_style import (
    ROUND_HATCHES,
    ROUND_MARKERS,
    Look,
    label_panel,
    legend,
    new_figure,
    scheduler_handles,
)
from testbed.coflow import Floats

MOST_DOTS = 1500
"""A scatter of more points is drawn as medians instead."""


def draw_cct_curves(curves: Sequence[Curve], look: dict[str, Look]) -> Figure:
    """Share of coflows that were complete within a time; emulation solid, simulation dashed."""
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    sources = {curve.source for curve in curves}
    for curve in curves:
        _draw_steps(axes, curve.value, curve.share, look[curve.scheduler].line(curve.source, sources, len(curve.value)))
    if len(sources) == 1:
        label_panel(axes, *sources)
    _time_axis(axes, "x", [curve.value for curve in curves])
    axes.set(xlabel="coflow completion time (s)", ylabel="share of coflows", ylim=(0, 1.02))
    names = list(dict.fromkeys(curve.scheduler for curve in curves))
    legend(figure, scheduler_handles(names, look, sources))
    return figure


def draw_cct_boxes(boxes: Sequence[Boxes], limits: BinLimits, look: dict[str, Look]) -> Figure:
    """CCT by size bin: box from quartile to quartile, line at the median, whiskers from 5 to 95 %, dot at the mean."""
    sources = [source for source in SOURCES if any(box.source == source for box in boxes)]
    bins = [name for name in BINS if any(name in box.cct_s for box in boxes)]
    names = list(dict.fromkeys(box.scheduler for box in boxes))
    figure = new_figure(2.0 + 1.9 * len(sources))
    panels = figure.subplots(len(sources), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    width = 0.8 / len(names)
    for axes, source in zip(panels, sources, strict=True):
        for box in (box for box in boxes if box.source == source):
            shift = (names.index(box.scheduler) - (len(names) - 1) / 2) * width
            present = [name for name in bins if name in box.cct_s]
            colour = look[box.scheduler].colour
            axes.boxplot(
                [box.cct_s[name] for name in present], positions=[bins.index(name) + shift for name in present],
                widths=0.82 * width, whis=(5, 95), showfliers=False, showmeans=True, patch_artist=True,
                manage_ticks=False,
                boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.45,
                          "hatch": ROUND_HATCHES[look[box.scheduler].round]},
                whiskerprops={"color": colour}, capprops={"color": colour},
                medianprops={"color": "black", "linewidth": 1.4},
                meanprops={"marker": "o", "markersize": 3, "markerfacecolor": "black", "markeredgewidth": 0},
            )  # fmt: skip
        _time_axis(axes, "y", [np.percentile(cct, (5, 95)) for box in boxes for cct in box.cct_s.values()])
        axes.set_ylabel("CCT (s)")
        axes.grid(visible=False, axis="x")
        axes.tick_params(axis="x", length=0)
        for edge in range(1, len(bins)):
            axes.axvline(edge - 0.5, color="#d9d9d9", linewidth=0.6)
        label_panel(axes, source)
    count = {name: max(len(box.cct_s.get(name, ())) for box in boxes) for name in bins}
    axes = panels[-1]
    axes.xaxis.set_major_locator(FixedLocator(range(len(bins))))
    axes.set_xticklabels([f"{_BIN_WORDS[name]}\n{count[name]} coflow{'s' * (count[name] != 1)}" for name in bins])
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_xlabel(str(limits).replace(" (", "\n("), fontsize=7)
    legend(figure, [
        Patch(facecolor=look[name].colour, alpha=0.6, hatch=ROUND_HATCHES[look[name].round], label=name)
        for name in names
    ])  # fmt: skip
    return figure


_BAND = "#e3e3e3"
_BIN_WORDS = {"SN": "short, narrow", "LN": "long, narrow", "SW": "short, wide", "LW": "long, wide"}


def draw_factors(data: Sequence[Factors], baseline: str, look: dict[str, Look]) -> Figure:
    """How many times faster than under the baseline each coflow was: distribution, and against its size (Gamma).

    On the right a dot per coflow, or where there are many the median of each tenth of them by Gamma.
    """
    figure = new_figure(3.4, 7.2)
    left, right = figure.subplots(1, 2)
    sources = {part.source for part in data}
    many = sum(len(part.factor) for part in data) > MOST_DOTS
    medians = [_tenths(part) for part in data]
    for part, (gamma_s, median) in zip(data, medians, strict=True):
        style = look[part.scheduler]
        value, share = cumulative(part.factor)
        _draw_steps(left, value, share, style.line(part.source, sources, len(value)))
        if many:
            right.plot(gamma_s, median, **{**style.line(part.source, sources, 1), "marker": "o", "markersize": 3})
        else:
            face = style.colour if part.source == "emulation" or len(sources) == 1 else "none"
            right.plot(
                part.gamma_s, part.factor, linestyle="", marker=ROUND_MARKERS[style.round] or "o", markersize=3.5,
                color=style.colour, alpha=0.75, markeredgewidth=0.8, markerfacecolor=face,
            )  # fmt: skip
    _factor_axis(left, "x", [part.factor for part in data])
    _factor_axis(right, "y", [median for _, median in medians] if many else [part.factor for part in data])
    _time_axis(right, "x", [gamma_s for gamma_s, _ in medians] if many else [part.gamma_s for part in data])
    left.axvline(1, color="black", linewidth=0.8)
    right.axhline(1, color="black", linewidth=0.8)
    what = f"CCT under {baseline} / CCT"
    left.set(xlabel=what, ylabel="share of coflows", ylim=(0, 1.02))
    right.set(xlabel="Gamma, the CCT when alone (s)", ylabel=f"{what}, median" if many else what)
    _name_sides(left, baseline)
    names = list(dict.fromkeys(part.scheduler for part in data))
    handles = scheduler_handles(names, look, sources)
    title = [*sources] if len(sources) == 1 else []
    label_panel(right, ", ".join([*title, "by tenths"] if many else title))
    if len(sources) > 1 and not many:
        for handle, face in zip(handles[-2:], ("black", "none"), strict=True):
            handle.set(marker="o", markersize=4, markerfacecolor=face)
    legend(figure, handles, columns=6)
    return figure


def _tenths(part: Factors) -> tuple[Floats, Floats]:
    """Median Gamma and median factor of each tenth of the coflows, by Gamma."""
    order = np.argsort(part.gamma_s, kind="stable")
    tenths = np.array_split(order, min(10, len(order)))
    return (np.array([np.median(part.gamma_s[tenth]) for tenth in tenths]),
            np.array([np.median(part.factor[tenth]) for tenth in tenths]))  # fmt: skip


def _draw_steps(axes: Axes, value: Floats, share: Floats, style: dict[str, Any]) -> None:
    """A cumulative distribution, from the share 0 at its least value."""
    if len(value):
        axes.step(np.concatenate([value[:1], value]), np.concatenate([[0.0], share]), where="post", **style)


def draw_agreement(data: Sequence[Agreement], look: dict[str, Look]) -> Figure:
    """Each coflow's CCT emulated against simulated, and their ratio, with a band of 10 % about equality."""
    figure = new_figure(3.7, 7.2)
    left, right = figure.subplots(1, 2)
    values = [values for part in data for values in (part.emulated_s, part.simulated_s)]
    low, high = _span(values)
    left.fill_between([low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color=_BAND, linewidth=0)
    left.plot([low, high], [low, high], color="black", linewidth=0.8)
    right.axhspan(0.9, 1.1, color=_BAND, linewidth=0)
    right.axhline(1, color="black", linewidth=0.8)
    handles = []
    for part in data:
        style = look[part.scheduler]
        dots = {"linestyle": "", "marker": ROUND_MARKERS[style.round] or "o", "markersize": 3.5, "color": style.colour,
                "alpha": 0.75, "markeredgewidth": 0}  # fmt: skip
        name = f"{part.scheduler} (median ratio {part.median_ratio:.2f})"
        handles += left.plot(part.simulated_s, part.emulated_s, label=name, **dots)
        right.plot(part.simulated_s, part.emulated_s / part.simulated_s, **dots)
    _time_axis(left, "x", values)
    _time_axis(left, "y", values)
    left.set(xlabel="CCT simulated (s)", ylabel="CCT emulated (s)", xlim=(low, high), ylim=(low, high))
    _time_axis(right, "x", [part.simulated_s for part in data])
    _factor_axis(right, "y", [part.emulated_s / part.simulated_s for part in data])
    right.set(xlabel="CCT simulated (s)", ylabel="CCT emulated / simulated")
    legend(figure, [*handles, Patch(color=_BAND, label="within 10 %")], columns=3)
    return figure


def _span(values: Sequence[Floats], pad: float = 1.15) -> tuple[float, float]:
    every = np.concatenate([part[part > 0] for part in values]) if len(values) else np.empty(0)
    if len(every) == 0:
        return 0.1, 10.0
    return float(every.min() / pad), float(every.max() * pad)


def _time_axis(axes: Axes, which: str, values: Sequence[Floats]) -> None:
    """A logarithmic axis with plain numbers, and ticks between decades where there are few of them."""
    _log_axis(axes, which, *_span(values))


def _factor_axis(axes: Axes, which: str, values: Sequence[Floats]) -> None:
    """A logarithmic axis about 1, to at least a factor of 1.5 both ways."""
    low, high = _span(values)
    _log_axis(axes, which, min(low, 1 / 1.5), max(high, 1.5))


def _log_axis(axes: Axes, which: str, low: float, high: float) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        axes.set(xscale="log", xlim=(low, high))
    else:
        axes.set(yscale="log", ylim=(low, high))
    decades = np.log10(high / low)
    steps: tuple[float, ...] = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    if decades < 1.2:
        steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    if decades < 0.5:
        steps = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    axis.set_major_locator(LogLocator(10, subs=steps, numticks=15))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator() if decades < 3 else LogLocator(10, subs=tuple(range(2, 10)), numticks=15))
    axis.set_minor_formatter(NullFormatter())


def _name_sides(axes: Axes, baseline: str) -> None:
    """Say on which side of 1 a coflow gained, above the axes."""
    low, high = axes.get_xlim()
    one = np.log(1 / low) / np.log(high / low)
    axes.text(one - 0.02, 1.01, "← slower", transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
    axes.text(
        one + 0.02, 1.01, f"faster than {baseline} →", transform=axes.transAxes, ha="left", va="bottom", fontsize=8
    )
