"""The page: its template, filled with the words, tables and charts of a set of runs, in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed.analysis.agreement import LEAST_GAMMA_S
from testbed.analysis.coflows import schedulers_of
from testbed.analysis.figure_data import first_runs
from testbed.analysis.page.assembly import environment, library, resource, script_json
from testbed.analysis.page.cct_charts import Chart, agreement_chart, cct_charts
from testbed.analysis.page.departure_chart import departure_charts
from testbed.analysis.page.run_charts import run_charts
from testbed.analysis.page.run_detail import MOST_FLOWS, MOST_RUNS, run_detail
from testbed.analysis.page.specs import colours
from testbed.analysis.page.words import words
from testbed.analysis.plots import Shown
from testbed.analysis.report import MEANING, Summary
from testbed.errors import RecordsError
from testbed.records.files import replacing, to_json
from testbed.records.run_directory import Run

FILE = "report.html"


@dataclass(frozen=True)
class Part:
    """The charts of one experiment, and what was run."""

    experiment: str
    runs: tuple[Run, ...]
    baseline: str | None
    """The report's, where this experiment ran it."""
    palette: dict[str, str]
    charts: tuple[Chart, ...]
    agreement: Chart | None


def write_page(runs: Sequence[Run], summary: Summary, folder: Path) -> Path:
    """Write `report.html` into a folder that is made if need be; returns its path.

    RecordsError where the folder cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsError(f"{folder}: the report cannot be written there ({error.strerror})") from error
    text = page(runs, summary)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def page(runs: Sequence[Run], summary: Summary) -> str:
    """The whole page as text."""
    parts = [_part(experiment, runs, summary) for experiment in sorted({run.experiment for run in runs})]
    shown = [run for part in parts for run in first_runs(part.runs, part.baseline)][:MOST_RUNS]
    data = {
        "charts": {
            f"{chart.name}-{place}": chart.spec
            for place, part in enumerate(parts)
            for chart in (*part.charts, *([part.agreement] if part.agreement else []))
        },
        "runCharts": run_charts(),
        "runs": [run_detail(run, MOST_FLOWS // len(shown)) for run in shown],
    }
    template = environment().get_template("report.html")
    return template.render(
        summary=summary,
        meaning=MEANING[summary.verdict],
        words=words(runs, summary),
        parts=parts,
        rows=summary.table.to_dict("records"),
        runs=runs,
        shown=shown,
        least_gamma_ms=LEAST_GAMMA_S * 1000,
        specs=_specs(runs),
        data=script_json(data),
        style=resource("report.css"),
        script=resource("charts.js") + resource("report.js"),
        library=library(),
    )


def _part(experiment: str, runs: Sequence[Run], summary: Summary) -> Part:
    mine = tuple(run for run in runs if run.experiment == experiment)
    title = summary.comparison.baseline
    shown = Shown(mine, title if any(run.scheduler == title for run in mine) else None)
    palette = colours(schedulers_of(shown.coflows, shown.baseline), shown.baseline)
    charts = (*cct_charts(shown, palette), *departure_charts(shown, palette))
    return Part(experiment, mine, shown.baseline, palette, charts, agreement_chart(shown, palette))


def _specs(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(experiments and runs, spec as YAML) of each spec among the runs, alike ones once."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for run in runs:
        if run.plan.spec:
            _, names = found.setdefault(to_json(run.plan.spec), (run.plan.spec, []))
            names.append(run.experiment)
    return [
        (
            f"{', '.join(dict.fromkeys(names))}: {len(names)} run{'s' * (len(names) > 1)}",
            yaml.safe_dump(spec, sort_keys=False, allow_unicode=True),
        )
        for spec, names in found.values()
    ]
