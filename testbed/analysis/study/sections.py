"""A part of the study as the report shows it: what was found, tables, figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from testbed.analysis.page.specs import Spec

GOAL = 0.15
"""Deviation of a measured figure from the predicted one up to which the study calls them in agreement."""


@dataclass(frozen=True)
class Words:
    """Sentences of one part, each made of its figures; a list may be empty."""

    found: tuple[str, ...] = ()
    deviates: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What was not measured, and why."""
    headline: str = ""
    """All of it in a line."""


@dataclass(frozen=True)
class Drawing:
    """One figure: a file for print, and its panels as charts of the page."""

    name: str
    """Of its files, and the beginning of its charts' ids."""
    caption: str
    panels: tuple[tuple[str, Spec], ...]
    """Title and chart of each."""
    figure: Figure


@dataclass(frozen=True)
class Sheet:
    """A table: cells with the value they sort by and the text they show."""

    name: str
    title: str
    headings: tuple[tuple[str, str], ...]
    """Text, and text or number."""
    rows: tuple[tuple[tuple[Any, str], ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the study."""

    name: str
    """Of its sweep, or of the part itself."""
    title: str
    about: str
    words: Words
    drawings: tuple[Drawing, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Name of a CSV file -> what is in it."""


def sheet(name: str, title: str, columns: Sequence[tuple[str, Any, str]], frame: pd.DataFrame, note: str = "") -> Sheet:
    """A table of some columns of a frame. `columns`: heading, column, and a format such as '.3f', or '' for text."""
    rows = []
    for row in frame.to_dict("records"):
        cells: list[tuple[Any, str]] = []
        for _, column, form in columns:
            value = row[column]
            absent = isinstance(value, float) and value != value
            cells.append(("" if absent else value, "-" if absent else format(value, form) if form else str(value)))
        rows.append(tuple(cells))
    headings = tuple((heading, "number" if form else "text") for heading, _, form in columns)
    return Sheet(name, title, headings, tuple(rows), note)


def percent(share: float) -> str:
    """'12.3%' of 0.123."""
    return f"{100 * share:.3g}%" if abs(share) < 1 else f"{100 * share:.0f}%"


def change(times: float) -> str:
    """'+12%' of 1.12: how much more something is than it was; of NaN, that this is not known."""
    return "an unknown part (there is no base)" if math.isnan(times) else f"{round(100 * (times - 1)):+d}%"


def listed(words: Sequence[str]) -> str:
    """'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]
