"""What part d says, in sentences made of its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from testbed.analysis.study.sections import Words, listed, percent
from testbed.analysis.study.shares import ALL, LABELLED, Shares

_HOW = {"emulation": "Measured", "simulation": "Simulated"}
FEW = 10
"""Coflows below which a mean says little."""


def share_words(data: Shares) -> Words:
    """Sentences on what the largest share does to all coflows and to those with every label."""
    summary = data.summary
    return Words(
        found=tuple(_effects(summary)),
        deviates=(*_few(summary), *_open(summary), *_against_simulation(summary)),
        missing=tuple(_missing(summary)),
        headline=_headline(summary),
    )


def _headline(summary: pd.DataFrame) -> str:
    """What the largest share does to the mean of all coflows, per scheduler over the points."""
    last = summary[(summary["share"] > 0) & (summary["set"] == ALL) & summary["times"].notna()]
    source = "emulation" if (last["source"] == "emulation").any() else "simulation"
    last = last[last["source"] == source]
    last = last[last["share"] == last["share"].max()]
    parts = []
    for scheduler, part in last.groupby("scheduler", sort=False):
        at = listed(
            [f"{row['times']:.2f}{' at ' if row['point'] else ''}{row['point']}" for row in part.to_dict("records")]
        )
        parts.append(f"{at} times under {scheduler}")
    if not parts:
        return ""
    share = last["share"].iloc[0]
    return f"{_HOW[source].lower()}: with {share:.0%} of the flows unlabelled the mean CCT is {'; '.join(parts)}."


def _effects(summary: pd.DataFrame) -> Iterator[str]:
    for (point, scheduler, source), part in summary.groupby(["point", "scheduler", "source"], sort=False):
        most = part["share"].max()
        of = {row["set"]: row for row in part[part["share"] == most].to_dict("records")}
        if most == 0 or pd.isna(of[ALL]["times"]):
            continue
        where = f"{_HOW[str(source)]}, {point}, {scheduler}" if point else f"{_HOW[str(source)]}, {scheduler}"
        text = f"{where}: with {most:.0%} of the flows unlabelled the mean CCT of all coflows is {_times(of[ALL])}"
        if pd.notna(of[LABELLED]["times"]):
            text += (
                f"; that of the {of[LABELLED]['coflows']} coflows that kept every label is {_times(of[LABELLED])} "
                "(each against the same coflows with every label there)"
            )
        yield f"{text}."


def _times(row: dict[Any, Any]) -> str:
    inside = "" if pd.isna(row["low"]) else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['times']:.2f} times as long{inside}, the 95th percentile {row['p95_times']:.2f} times"


def _few(summary: pd.DataFrame) -> Iterator[str]:
    few = summary[(summary["set"] == LABELLED) & (summary["coflows"] < FEW)]
    for row in few.to_dict("records"):
        where = f"{row['point']}, " if row["point"] else ""
        yield (
            f"{_HOW[row['source']]}, {where}{row['scheduler']}, share {row['share']:g}: only {row['coflows']} coflows "
            "keep every label; their figures are anecdotes. At random, a wide coflow hardly ever keeps all."
        )


def _open(summary: pd.DataFrame) -> Iterator[str]:
    """Effects at the largest share whose interval does not leave out 1."""
    last = summary[(summary["share"] == summary["share"].max()) & (summary["share"] > 0) & (summary["set"] == ALL)]
    for row in last.to_dict("records"):
        if row["low"] <= 1 <= row["high"]:
            where = f"{row['point']}, " if row["point"] else ""
            yield (
                f"{_HOW[row['source']]}, {where}{row['scheduler']}: whether a share of {row['share']:.0%} changes "
                f"the mean is open, the interval {row['low']:.2f} to {row['high']:.2f} holds 1."
            )


def _against_simulation(summary: pd.DataFrame) -> Iterator[str]:
    """Measured multiples that differ from the simulated ones."""
    key = ["point", "scheduler", "share", "set"]
    both = summary[summary["source"] == "emulation"].merge(summary[summary["source"] == "simulation"], on=key,
                                                           suffixes=("", "_sim"))  # fmt: skip
    both = both[(both["share"] > 0) & both["times"].notna() & both["times_sim"].notna() & (both["coflows"] >= FEW)]
    for row in both.to_dict("records"):
        off = row["times"] / row["times_sim"] - 1
        yield (
            f"{row['scheduler']}, share {row['share']:g}, {row['set']}: measured {row['times']:.2f} times, simulated "
            f"{row['times_sim']:.2f} times ({percent(off)} apart)"
            + (
                ": one run each, and TCP's sharing beside the scheduler is not exactly max-min."
                if abs(off) > 0.1
                else "."
            )
        )


def _missing(summary: pd.DataFrame) -> Iterator[str]:
    if not (summary["source"] == "emulation").any():
        yield "Simulated only: emulated, so many runs would take hours."
