"""What flows without a label change under a scheduler that guesses sizes: residence in the first queue, CCT of others.

The law: to such a scheduler a coflow of M equal flows of which m carry no label looks (M - m) / M as large, so it stays
in its first queue M / (M - m) times as long.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from testbed.analysis.bootstrap import ratio_interval
from testbed.analysis.plot_style import PALETTE, SOURCE_DASHES, label_panel, legend, new_figure
from testbed.analysis.sweep_table import sweep_table
from testbed.errors import RecordsError
from testbed.records.run_directory import Run, read_run
from testbed.records.sweep_folder import SweepFolder

LAW = "law"


def residence_s(run: Run, coflow: int) -> float:
    """Seconds from a coflow's arrival until the scheduler first puts it into a queue below the first; NaN if never."""
    flows = np.flatnonzero(run.plan.flows.label == coflow)
    arrival_s = float(run.coflows.loc[run.coflows["coflow"] == coflow, "arrival_s"].iloc[0])
    decisions = run.decisions
    for at_s, seen, queue in zip(decisions["at_s"], decisions["flows"], decisions["queue"], strict=True):
        if (queue[np.isin(seen, flows)] > 0).any():
            return float(at_s) - arrival_s
    return float("nan")


def unlabelled_runs(path: Path) -> pd.DataFrame:
    """One row per finished run of a sweep of `unlabelled: {coflow, flows}`; RecordsError for a sweep of something else.

    Columns: class (in which unlabelled flows travel), flows (M), unlabelled (m), source, scheduler, repeat,
    residence_s (of that coflow in its first queue), others_cct_s (mean CCT of the other coflows), run.
    """
    folder = SweepFolder(path)
    rows = []
    for name in sweep_table(path).frame["run"]:
        run = read_run(folder.runs / name)
        stated: dict[str, Any] = run.plan.spec["workload"].get("unlabelled") or {}
        if stated.get("coflow") is None:
            raise RecordsError(f"{run.path}: its workload has no `unlabelled: {{coflow: ID, flows: N}}`")
        coflow = int(stated["coflow"])
        others = run.coflows[run.coflows["coflow"] != coflow]
        rows.append({
            "class": run.plan.unlabelled_class,
            "flows": int(np.count_nonzero(run.plan.flows.coflow == coflow)),
            "unlabelled": int(stated["flows"]),
            "source": run.source,
            "scheduler": run.scheduler,
            "repeat": run.repeat,
            "residence_s": residence_s(run, coflow),
            "others_cct_s": float(others["cct_s"].mean()),
            "run": run.name,
        })  # fmt: skip
    return pd.DataFrame(rows)


def against_all_labelled(runs: pd.DataFrame) -> pd.DataFrame:
    """Residence and CCT of others at each m, over those with every flow labelled, beside the law.

    One row per scheduler, class, source and m: runs, residence and others (means over the mean at m = 0), each with
    its bootstrap interval over runs (`_low`, `_high`; NaN for one run), and law.
    """
    rows = []
    for (scheduler, kind, source), part in runs.groupby(["scheduler", "class", "source"], sort=False):
        labelled = part[part["unlabelled"] == 0]
        for m, here in part.groupby("unlabelled"):
            row: dict[str, Any] = {"scheduler": scheduler, "class": kind, "source": source, "unlabelled": m,
                                   "runs": len(here)}  # fmt: skip
            for name, column in (("residence", "residence_s"), ("others", "others_cct_s")):
                base = float(labelled[column].mean()) if len(labelled) else float("nan")
                values = here[column].to_numpy(dtype=np.float64) / base
                interval = ratio_interval(values, np.ones(len(values)), np.arange(len(values)))
                row |= {name: float(values.mean()), f"{name}_low": interval.low, f"{name}_high": interval.high}
            flows = int(here["flows"].iloc[0])
            rows.append({**row, LAW: flows / (flows - float(str(m))) if flows > float(str(m)) else float("inf")})
    return pd.DataFrame(rows)


def draw_unlabelled(ratios: pd.DataFrame) -> Figure:
    """Left residence in the first queue with the law, right CCT of the others; a colour per class, dashes by source."""
    figure = new_figure(3.6, 7.2)
    left, right = figure.subplots(1, 2)
    kinds = list(dict.fromkeys(ratios["class"]))
    colour = dict(zip(kinds, PALETTE, strict=False))
    sources = list(dict.fromkeys(ratios["source"]))
    law = ratios.drop_duplicates("unlabelled").sort_values("unlabelled")
    left.plot(law["unlabelled"], law[LAW], color="black", linewidth=4, alpha=0.25)
    for axes, name in ((left, "residence"), (right, "others")):
        for (kind, source), part in ratios.groupby(["class", "source"], sort=False):
            _draw(axes, part.sort_values("unlabelled"), name, colour[str(kind)], str(source))
        axes.set_xlabel("flows without a label")
        axes.set_ylim(bottom=0)
    left.set_ylabel("over that with every flow labelled")
    label_panel(left, "residence in the first queue")
    label_panel(right, "CCT of the other coflows")
    handles = [Line2D([], [], color="black", linewidth=4, alpha=0.25, label="law M / (M - m)")]
    handles += [Line2D([], [], color=colour[kind], marker="o", markersize=3.5, label=f"class {kind}") for kind in kinds]
    handles += [Line2D([], [], color="black", linestyle=SOURCE_DASHES[source], label=source) for source in sources]
    legend(figure, handles, columns=6)
    return figure


def _draw(axes: Axes, part: pd.DataFrame, name: str, colour: str, source: str) -> None:
    at, mean = part["unlabelled"].to_numpy(), part[name].to_numpy()
    axes.plot(at, mean, color=colour, linestyle=SOURCE_DASHES[source], marker="o", markersize=3.5)
    low, high = part[f"{name}_low"].to_numpy(), part[f"{name}_high"].to_numpy()
    if np.isfinite(low).any():
        axes.errorbar(at, mean, yerr=(np.maximum(mean - low, 0), np.maximum(high - mean, 0)), fmt="none",
                      ecolor=colour, elinewidth=0.9, capsize=2)  # fmt: skip
