"""All parts of a study into one folder: the page, the figures as PNG and PDF, the tables as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from testbed.analysis.plot_style import styled
from testbed.analysis.plots import save_figure
from testbed.analysis.study.behind import CCT, RESIDENCE
from testbed.analysis.study.page import FILE, study_page
from testbed.analysis.study.parts import section
from testbed.analysis.study.runs import SweepRuns, counted, sweep_runs_of
from testbed.analysis.study.sections import GOAL, Section, Words
from testbed.analysis.study.starts import starts
from testbed.analysis.study.starts_part import starts_section
from testbed.analysis.tables import arrow_table
from testbed.errors import RecordsError
from testbed.fidelity.verdict import INVALID
from testbed.records import files
from testbed.records.study_folder import StudyFolder


@dataclass(frozen=True)
class StudyReport:
    """What was written, and what it is made of."""

    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    sections: tuple[Section, ...]
    summary: Words
    counts: pd.DataFrame
    """Per sweep and back end: runs, finished, valid, degraded, invalid, failed."""

    @property
    def invalid(self) -> int:
        """Runs of that verdict."""
        return int(self.counts[INVALID].sum())


def write_study_report(path: Path) -> StudyReport:
    """Write report.html, figures/ and tables/ of a study's folder from whatever of its runs is finished.

    RecordsError where it is none, where nothing is finished, or where a file cannot be written.
    """
    folder = StudyFolder(path)
    document = folder.read()
    sweeps = sweep_runs_of(folder, document["sweeps"])
    if not any(sweep.entries for sweep in sweeps):
        raise RecordsError(f"{path}: no run of this study is finished")
    with styled():
        sections = [_section(sweep) for sweep in sweeps]
        emulated = ((sweep.name, run) for sweep in sweeps for _, run in sweep.entries)
        sections.append(starts_section(starts(emulated)))
        figures = tuple(_figures(folder, sections))
    summary = _summary(sections, document["left_out"])
    tables = tuple(_tables(folder, sections))
    text = study_page(document["study"], sweeps, sections, summary)
    with files.replacing(path / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return StudyReport(path / FILE, figures, tables, tuple(sections), summary, counted(sweeps))


def _section(sweep: SweepRuns) -> Section:
    """The section of a sweep, with what its folder lacks said in it."""
    if not sweep.entries:
        return Section(sweep.name, sweep.name, "", Words(missing=tuple(sweep.missing())))
    found = section(sweep.name, sweep.entries)
    words = replace(
        found.words,
        deviates=(*found.words.deviates, *sweep.degraded()),
        missing=(*found.words.missing, *sweep.missing()),
    )
    return replace(found, words=words)


def _summary(sections: Sequence[Section], left_out: dict[str, str]) -> Words:
    points = [row for each in sections for row in _measured(each)]
    found: list[str] = []
    deviates: list[str] = []
    if points:
        table = pd.DataFrame(points)
        off = (table["over_predicted"] - 1).abs()
        good = int((off <= GOAL).sum())
        worst = table.iloc[int(off.to_numpy().argmax())]
        text = (
            f"{good} of {len(table)} measured points (residence, CCT of what comes behind) are within {GOAL:.0%} of "
            "a prediction made apart from the simulator; the farthest has measured / predicted "
            f"{worst['over_predicted']:.2f} ({worst['section']}, {worst['label']}, {worst['quantity']}, "
            f"m = {worst['unlabelled']})."
        )
        (found if good == len(table) else deviates).append(text)
    for each in sections:
        found += [f"{each.name}, {each.words.headline}"] if each.words.headline else []
    missing = [f"{name} was left out: {why}." for name, why in left_out.items()]
    missing += [f"{each.name}: {text}" for each in sections for text in each.words.missing]
    return Words(tuple(found), tuple(deviates), tuple(missing))


def _measured(part: Section) -> Iterator[dict[str, object]]:
    """Measured points of parts a to c that have a prediction."""
    frame = part.frames.get(part.name)
    if frame is None or "over_predicted" not in frame:
        return
    rows = frame[(frame["source"] == "emulation") & frame["quantity"].isin([RESIDENCE, CCT])]
    for row in rows[rows["over_predicted"].notna()].to_dict("records"):
        yield {"section": part.name, **{str(key): value for key, value in row.items()}}


def _figures(folder: StudyFolder, sections: Sequence[Section]) -> Iterator[Path]:
    folder.figures.mkdir(exist_ok=True)
    for each in sections:
        for drawing in each.drawings:
            yield from save_figure(drawing.figure, folder.figures / drawing.name)


def _tables(folder: StudyFolder, sections: Sequence[Section]) -> Iterator[Path]:
    folder.tables.mkdir(exist_ok=True)
    for each in sections:
        for name, frame in each.frames.items():
            path = folder.tables / f"{name}.csv"
            files.write_csv(path, arrow_table(frame))
            yield path
