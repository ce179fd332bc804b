"""Figure of the times between departures at a saturated link, measured against the ideal."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from testbed.analysis.figure_data import DepartureCurve
from testbed.analysis.plot_style import Look, legend, new_figure, scheduler_handles

_IDEAL_COLOUR = "black"


def draw_departures(curves: Sequence[DepartureCurve], look: dict[str, Look]) -> Figure:
    """Share of the gaps longer than a multiple of the ideal one (CCDF); an ideal link falls to 0 at 1."""
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    sources = {"emulation"}
    for curve in curves:
        line = look[curve.scheduler].line("emulation", sources, len(curve.ratio))
        axes.step(curve.ratio, curve.longer, where="post", **line)
    least = min(float(curve.longer[curve.longer > 0].min()) for curve in curves)
    axes.plot([0, 1, 1], [1, 1, least / 2], color=_IDEAL_COLOUR, linewidth=1, linestyle=(0, (4, 2)))
    axes.set_yscale("log")
    axes.set(xlabel="time between departures (multiples of the ideal)", ylabel="share longer", ylim=(least / 1.5, 1.3))
    axes.set_xlim(0, max(2.0, 1.05 * max(float(curve.ratio.max()) for curve in curves)))
    handles = scheduler_handles([curve.scheduler for curve in curves], look, sources)
    handles.append(Line2D([], [], color=_IDEAL_COLOUR, linewidth=1, linestyle=(0, (4, 2)), label="ideal"))
    legend(figure, handles)
    return figure
