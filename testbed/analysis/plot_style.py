"""How figures look, in one place: for a paper's column, readable in print, safe for the colour-blind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text in PDF
    "axes.formatter.useoffset": False,
}
WIDTH_IN = 5.6
"""Width of a figure in inches."""
BASELINE_COLOUR = "#555555"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933")
"""Okabe and Ito's colours without the yellow that vanishes on white, and two of Tol's muted ones."""
SOURCE_DASHES: dict[str, Any] = {"emulation": "-", "simulation": (0, (4, 1.5))}
ROUND_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
ROUND_MARKERS = ("", "o", "s")
ROUND_HATCHES = ("", "/////", ".....")


@dataclass(frozen=True)
class Look:
    """Colour of a scheduler, the same in every figure, and which time round it is that the colour is used."""

    colour: str
    round: int = 0

    def line(self, source: str, sources: Collection[str], points: int) -> dict[str, Any]:
        """How its line of so many points is drawn: dashes tell sources apart, or rounds where there is one source."""
        one_source = len(set(sources)) < 2
        marker = "" if one_source else ROUND_MARKERS[self.round]
        return {
            "color": self.colour,
            "linestyle": ROUND_DASHES[self.round] if one_source else SOURCE_DASHES[source],
            "marker": marker or None,
            "markersize": 4,
            "markevery": max(1, points // 8),
        }


def looks(schedulers: Sequence[str], baseline: str | None) -> dict[str, Look]:
    """A look per scheduler: grey for the baseline, then colours; when they run out they come round again."""
    others = [scheduler for scheduler in schedulers if scheduler != baseline]
    result = {
        scheduler: Look(PALETTE[place % len(PALETTE)], place // len(PALETTE) % len(ROUND_DASHES))
        for place, scheduler in enumerate(others)
    }
    if baseline is not None:
        result[baseline] = Look(BASELINE_COLOUR)
    return result


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure with a constrained layout, drawn by Agg whatever the environment says."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def styled() -> Any:
    """A context in which figures are drawn and saved in this style; settings of the user's own do not matter."""
    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, "backend": "agg", **STYLE}
    return matplotlib.rc_context(settings)


def legend(figure: Figure, handles: Sequence[Any], columns: int = 4) -> None:
    """A legend below the axes, where it covers no data."""
    if handles:
        figure.legend(handles=list(handles), loc="outside lower center", ncols=min(columns, len(handles)))


def scheduler_handles(schedulers: Sequence[str], look: dict[str, Look], sources: Collection[str]) -> list[Line2D]:
    """Legend entries: one per scheduler, and one per source where there are both."""
    handles = [Line2D([], [], label=name, **look[name].line("emulation", sources, 1)) for name in schedulers]
    if len(set(sources)) > 1:
        handles += [Line2D([], [], color="black", linestyle=dash, label=name) for name, dash in SOURCE_DASHES.items()]
    return handles


def label_panel(axes: Axes, text: str) -> None:
    """A panel's title, at its left edge."""
    axes.set_title(text, loc="left", fontweight="bold")
