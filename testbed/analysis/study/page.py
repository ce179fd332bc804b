"""The study's page: one HTML file that opens offline, in the style of the reports."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import yaml

from testbed.analysis.page.assembly import environment, library, resource, script_json
from testbed.analysis.study.runs import SweepRuns, counted, specs
from testbed.analysis.study.sections import Section, Words, sheet
from testbed.fidelity.verdict import DEGRADED, INVALID, VALID

FILE = "report.html"
HEADING = "Coflow scheduling with incompletely labelled coflows"
ABOUT = (
    "A scheduler that does not know sizes learns them from what it has seen arrive. To it, a coflow of M equal flows, "
    "m of them without a label, looks (M - m) / M as large, and stays in its first queue M / (M - m) times as long. "
    "What others pay for that depends on the class in which flows without a label travel. Measured: emulated network, "
    "real TCP. Simulated: the flow-level simulator with the same plan and scheduler. Predicted: a fluid calculation of "
    "one sender, apart from both."
)


def study_page(study: str, sweeps: Sequence[SweepRuns], sections: Sequence[Section], summary: Words) -> str:
    """The whole page as text."""
    counts = counted(sweeps)
    troubles = [row for sweep in sweeps for row in sweep.troubles()]
    verdict = INVALID if counts[INVALID].any() or counts["failed"].any() else DEGRADED if summary.deviates else VALID
    columns = [(str(name), name, "" if name in ("sweep", "source") else "d") for name in counts]
    trouble_columns = [("run", "run", ""), ("verdict", "verdict", ""), ("what", "what", "")]
    charts = {
        f"{drawing.name}-{place}": spec
        for each in sections
        for drawing in each.drawings
        for place, (_, spec) in enumerate(drawing.panels)
    }
    return (
        environment()
        .get_template("study.html")
        .render(
            study=study,
            heading=HEADING,
            about=ABOUT,
            verdict=verdict,
            summary=summary,
            sections=sections,
            counts=sheet("counts", "How many there are", columns, counts),
            troubles=sheet("troubles", "What is not valid", trouble_columns, pd.DataFrame(troubles)),
            specs=[(name, yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)) for name, spec in specs(sweeps)],
            data=script_json({"charts": charts}),
            style=resource("report.css"),
            script=resource("charts.js") + resource("study.js"),
            library=library(),
        )
    )
