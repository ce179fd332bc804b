"""All figures of a set of runs, and their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from testbed.analysis import figure_data
from testbed.analysis.bins import BinLimits, bin_limits, size_scale
from testbed.analysis.coflows import coflow_frame, find_baseline, schedulers_of
from testbed.analysis.plot_cct import draw_agreement, draw_cct_boxes, draw_cct_curves, draw_factors
from testbed.analysis.plot_departures import draw_departures
from testbed.analysis.plot_style import Look, looks, styled
from testbed.analysis.plot_time import draw_gantt, draw_utilisation
from testbed.errors import RecordsError
from testbed.records.files import replacing
from testbed.records.run_directory import Run

MOST_PANELS = 16
"""Runs that a figure of one panel each shows: the first of them."""


@dataclass(frozen=True)
class Shown:
    """The runs of one experiment, as the figures need them."""

    runs: Sequence[Run]
    baseline: str | None

    @cached_property
    def coflows(self) -> pd.DataFrame:
        """The table of all coflows."""
        return coflow_frame(self.runs)

    @cached_property
    def limits(self) -> BinLimits:
        """Limits of the size bins."""
        return bin_limits(self.coflows, size_scale(self.runs[0]))

    @cached_property
    def look(self) -> dict[str, Look]:
        """Colours of the schedulers."""
        return looks(schedulers_of(self.coflows, self.baseline), self.baseline)

    @property
    def repeated(self) -> bool:
        """Whether there is more than one repeat, so that a figure of one run must say which."""
        return len({(run.repeat, run.seed) for run in self.runs}) > 1


Drawing = Callable[[Shown], "Figure | str"]
"""Draws a figure, or says why there is nothing to draw."""


def _cct_cdf(shown: Shown) -> Figure | str:
    curves = figure_data.cct_curves(shown.coflows, shown.baseline)
    return draw_cct_curves(curves, shown.look) if any(len(c.value) for c in curves) else "no coflow finished"


def _cct_by_bin(shown: Shown) -> Figure | str:
    boxes = figure_data.cct_boxes(shown.coflows, shown.limits, shown.baseline)
    return draw_cct_boxes(boxes, shown.limits, shown.look) if boxes else "no coflow finished"


def _factor(shown: Shown) -> Figure | str:
    if shown.baseline is None:
        return "no run of a baseline"
    data = figure_data.factors(shown.coflows, shown.baseline)
    return draw_factors(data, shown.baseline, shown.look) if data else f"no other scheduler beside {shown.baseline}"


def _agreement(shown: Shown) -> Figure | str:
    data = figure_data.agreements(shown.coflows, shown.baseline)
    return draw_agreement(data, shown.look) if data else "no coflow was both emulated and simulated"


def _gantt(source: str) -> Drawing:
    def draw(shown: Shown) -> Figure | str:
        runs = [run for run in figure_data.first_runs(shown.runs, shown.baseline) if run.source == source]
        charts = [figure_data.gantt(run) for run in runs[:MOST_PANELS]]
        return draw_gantt(charts, name_repeat=shown.repeated) if charts else f"no {source}"

    return draw


def _utilisation(shown: Shown) -> Figure | str:
    runs = figure_data.first_runs(shown.runs, shown.baseline)
    maps = [chart for chart in map(figure_data.utilisation, runs) if chart is not None]
    if not maps:
        return "the port counters were not sampled"
    return draw_utilisation(maps[:MOST_PANELS], name_repeat=shown.repeated)


def _departures(shown: Shown) -> Figure | str:
    curves = figure_data.departure_curves(shown.runs, shown.baseline)
    return draw_departures(curves, shown.look) if curves else "no departures from a saturated link were noted"


FIGURES: dict[str, Drawing] = {
    "cct-cdf": _cct_cdf,
    "cct-by-bin": _cct_by_bin,
    "factor-per-coflow": _factor,
    "emulated-vs-simulated": _agreement,
    "gantt-emulation": _gantt("emulation"),
    "gantt-simulation": _gantt("simulation"),
    "link-utilisation": _utilisation,
    "departures": _departures,
}
"""Name of the file -> how it is drawn."""


def write_plots(runs: Sequence[Run], out: Path, baseline: str | None = None) -> tuple[list[Path], dict[str, str]]:
    """Draw every figure that these runs have the data for, as PNG and PDF.

    Returns the files, and for each figure not drawn why. Runs of several experiments get a folder each. RecordsError
    where the folder cannot be written.
    """
    experiments = sorted({run.experiment for run in runs})
    written: list[Path] = []
    omitted: dict[str, str] = {}
    for experiment in experiments:
        mine = [run for run in runs if run.experiment == experiment]
        shown = Shown(mine, find_baseline(mine, baseline))
        folder = out if len(experiments) == 1 else out / experiment.replace("/", "-")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordsError(f"{folder}: plots cannot be written there ({error.strerror})") from error
        with styled():
            for name, drawing in FIGURES.items():
                figure = drawing(shown)
                if isinstance(figure, str):
                    omitted[name if len(experiments) == 1 else f"{experiment}/{name}"] = figure
                else:
                    written += save_figure(figure, folder / name)
    return written, omitted


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as `stem`.png and `stem`.pdf; returns both."""
    FigureCanvasAgg(figure)
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "pdf")]
    for path in paths:
        kind = path.suffix[1:]
        with replacing(path) as temporary:
            figure.savefig(temporary, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
    return paths
