"""The report of a set of runs in the terminal: the verdict first, then the summary of every scheduler."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.analysis.agreement import AgreementRow, agreement_rows, show_agreement
from testbed.analysis.compare import Comparison, compare
from testbed.analysis.fault_notes import fault_notes
from testbed.analysis.plots import write_plots
from testbed.analysis.tables import interval, plain_seconds, print_table, ratio, records
from testbed.fidelity.verdict import DEGRADED, INVALID, VALID, worst
from testbed.records.run_directory import Run

__all__ = ["Summary", "print_summary", "summarize", "write_plots"]

_FAILED_SHOWN = 5
_COLOUR = {VALID: "green", DEGRADED: "yellow", INVALID: "bold red"}
MEANING = {
    VALID: "every check that could be made is within its limit",
    DEGRADED: "the machine was disturbed; the figures may be off",
    INVALID: "do not use these figures",
}


@dataclass(frozen=True)
class Summary:
    """What a report says, apart from its plots."""

    verdict: str
    """The worst of all runs."""
    failed: tuple[tuple[str, str, str], ...]
    """Run, check with its figure and limit, and cause and remedy in words: worst first."""
    comparison: Comparison
    table: pd.DataFrame
    """comparison.overall, with the column `verdict`: the worst of the runs of that row."""
    agreement: tuple[AgreementRow, ...] = field(default=())
    """Emulated against simulated CCT, where there are both."""
    notes: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """As plain data, for --json."""
        return {
            "verdict": self.verdict,
            "failed": [{"run": run, "check": check, "words": words} for run, check, words in self.failed],
            "baseline": self.comparison.baseline,
            "summary": records(self.table),
            "agreement": [dict(row) for row in self.agreement],
            "notes": list(self.notes),
        }


def summarize(runs: Sequence[Run], baseline: str | None = None, notes: Sequence[str] = ()) -> Summary:
    """Judge and compare these runs; `notes` are put before what the comparison has to say.

    `baseline`: title or name of a scheduler, fair by default; SpecError if it was not run.
    """
    comparison = compare(runs, baseline)
    table = comparison.overall
    verdicts = [
        worst(run.fidelity.verdict for run in runs if (run.experiment, run.source, run.scheduler) == key)
        for key in zip(table["experiment"], table["source"], table["scheduler"], strict=True)
    ]
    failed = [(run.name, check) for run in runs for check in run.fidelity.failed]
    failed.sort(key=lambda found: (INVALID, DEGRADED).index(found[1].verdict))
    return Summary(
        verdict=worst(run.fidelity.verdict for run in runs),
        failed=tuple((name, str(check), check.words) for name, check in failed),
        comparison=comparison,
        table=table.assign(verdict=verdicts),
        agreement=tuple(agreement_rows(comparison.coflows, comparison.baseline)),
        notes=(*notes, *fault_notes(runs), *comparison.notes),
    )


def print_summary(console: Console, runs: Sequence[Run], baseline: str | None = None) -> Summary:
    """Print the verdict, the table and the notes; return what was printed."""
    summary = summarize(runs, baseline)
    show_summary(console, summary)
    return summary


def show_summary(console: Console, summary: Summary) -> None:
    """Print a summary that was made before."""
    word = summary.verdict.upper() if summary.verdict != VALID else summary.verdict
    console.print(Text.assemble("verdict: ", (word, _COLOUR[summary.verdict]), f" ({MEANING[summary.verdict]})"))
    for run, check, words in summary.failed[:_FAILED_SHOWN]:
        console.print(Text(f"  {run}\n    {check}\n    {words}"), soft_wrap=True)
    if len(summary.failed) > _FAILED_SHOWN:
        console.print(f"  and {len(summary.failed) - _FAILED_SHOWN} more: see fidelity.json of each run")
    several = summary.table["experiment"].nunique() > 1
    baseline = summary.comparison.baseline
    table = Table(title_justify="left")
    for heading in ["experiment"] * several + ["scheduler", "source"]:
        table.add_column(heading, no_wrap=True)
    headings = ["runs", "coflows", "mean s", "median s", "p95 s", "p99 s", "CCT/Gamma"]
    headings += [f"vs {baseline}", "per coflow"] if baseline else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in summary.table.to_dict("records"):
        cells = [str(row["experiment"])] * several + [str(row["scheduler"]), str(row["source"]), str(row["runs"])]
        unfinished = f" (+{row['unfinished']} unfinished)" if row["unfinished"] else ""
        cells += [f"{row['coflows']}{unfinished}"]
        cells += [plain_seconds(row[name]) for name in ("mean_s", "median_s", "p95_s", "p99_s")]
        cells += [_plain(row["slowdown_mean"])]
        cells += [ratio(row["factor"]), ratio(row["factor_median"])] if baseline else []
        table.add_row(*cells, Text(row["verdict"], _COLOUR[row["verdict"]]))
    print_table(console, table)
    if baseline:
        console.print(Text(
            f"CCT/Gamma: mean slowdown. vs {baseline}: mean CCT of {baseline} / mean CCT of the same coflows, above 1 "
            "is better; per coflow: median of that ratio."
        ))  # fmt: skip
    show_agreement(console, summary.agreement)
    for note in summary.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)


def comparison_document(comparison: Comparison, notes: Sequence[str] = ()) -> dict[str, Any]:
    """A comparison as plain data, for --json."""
    return {
        "baseline": comparison.baseline,
        "bins": {name: str(limits) for name, limits in comparison.limits.items()},
        "rows": records(comparison.table),
        "notes": [*notes, *comparison.notes],
    }


def show_comparison(console: Console, comparison: Comparison, notes: Sequence[str] = ()) -> None:
    """Print a comparison: a row per source, scheduler and bin, a block per experiment."""
    baseline = comparison.baseline
    for experiment, part in comparison.table.groupby("experiment", sort=True):
        console.print(Text(f"{experiment}; {comparison.limits[str(experiment)]}"))
        table = Table()
        for heading in ("scheduler", "source", "bin"):
            table.add_column(heading, no_wrap=True)
        headings = ["coflows", "mean s", "95 %", "median s", "p95 s", "p99 s", "CCT/Gamma"]
        headings += [f"vs {baseline}", "95 %", "per coflow"] if baseline else []
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for row in part.to_dict("records"):
            cells = [str(row[name]) for name in ("scheduler", "source", "bin", "coflows")]
            cells += [plain_seconds(row["mean_s"]), interval(row["mean_low_s"], row["mean_high_s"], plain_seconds)]
            cells += [plain_seconds(row[name]) for name in ("median_s", "p95_s", "p99_s")] + [
                _plain(row["slowdown_mean"])
            ]
            if baseline:
                cells += [
                    ratio(row["factor"]),
                    interval(row["factor_low"], row["factor_high"], _plain),
                    ratio(row["factor_median"]),
                ]
            table.add_row(*cells)
        print_table(console, table)
        over = sorted(set(part["interval"]))
        console.print(Text(f"95 %: bootstrap confidence intervals over {' or '.join(over)}."))
    for note in (*notes, *comparison.notes):
        console.print(Text(f"note: {note}"), soft_wrap=True)


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
