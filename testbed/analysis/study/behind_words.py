"""What parts a to c say, in sentences made of their figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from testbed.analysis.study.behind import CCT, RESIDENCE, Behind
from testbed.analysis.study.sections import GOAL, Words, change, listed, percent, sentence

_HOW = {"emulation": "measured", "simulation": "simulated"}
_WHAT = {
    RESIDENCE: "the wrongly labelled coflow's residence in its first queue",
    CCT: "the CCT of what comes behind it",
}
SMALL = 0.05
"""A change of CCT that is called none."""
_FEW_POINTS = 3


def behind_words(data: Behind) -> Words:
    """Sentences on how far measured, simulated and predicted figures agree, and on what the effect is."""
    summary = data.summary[data.summary["quantity"].isin(_WHAT)]
    measured = summary[summary["source"] == "emulation"]
    simulated = summary[summary["source"] == "simulation"]
    close: list[str] = []
    apart: list[str] = []
    for (label, quantity), part in measured.groupby(["label", "quantity"], sort=False):
        text, good = _against_prediction(str(label), str(quantity), part)
        (close if good else apart).append(text)
    effects = list(_effects(measured if len(measured) else simulated))
    return Words(
        found=(*effects, *close, *_simulated(simulated)),
        deviates=(*apart, *_offsets(measured)),
        missing=tuple(_missing(data)),
        headline=_headline(measured if len(measured) else simulated),
    )


def _headline(summary: pd.DataFrame) -> str:
    """What the largest m does to CCT, per label."""
    last = summary[(summary["unlabelled"] == summary["unlabelled"].max()) & (summary["quantity"] == CCT)]
    changes = [f"{change(row['times'])} ({row['label']})" for row in last.to_dict("records")]
    how, m = _HOW[str(last["source"].iloc[0])], int(last["unlabelled"].iloc[0])
    return f"{how}: with {m} labels taken away, {_WHAT[CCT]} changes by {listed(changes)}."


def _effects(summary: pd.DataFrame) -> Iterator[str]:
    """What the largest m does, per label."""
    for label, part in summary.groupby("label", sort=False):
        last = part[part["unlabelled"] == part["unlabelled"].max()]
        how = _HOW[str(last["source"].iloc[0])]
        m = int(last["unlabelled"].iloc[0])
        if m == 0:
            continue
        of = {row["quantity"]: row for row in last.to_dict("records")}
        cct, stay = of[CCT], of[RESIDENCE]
        if abs(cct["times"] - 1) <= SMALL:
            effect = f"changes {_WHAT[CCT]} by {change(cct['times'])}: no effect"
        else:
            effect = f"changes {_WHAT[CCT]} by {change(cct['times'])} (predicted {change(cct['predicted_times'])})"
        if np.isnan(stay["predicted_s"]) and np.isnan(stay["mean_s"]):
            queue = "the large one never leaves its first queue, as predicted"
        else:
            queue = (
                f"its residence is {stay['times']:.2f} times that at m = 0 (predicted {stay['predicted_times']:.2f}, "
                f"the law's M / (M - m) {stay['law']:.2f})"
            )
        yield sentence(f"{label}, {how}: taking {m} labels away {effect}; {queue}.")


def _against_prediction(label: str, quantity: str, part: pd.DataFrame) -> tuple[str, bool]:
    """One sentence, and whether every figure is within the goal."""
    known = part[part["predicted_s"].notna() & part["mean_s"].notna()].sort_values("unlabelled")
    odd = part[part["predicted_s"].notna() != part["mean_s"].notna()]
    if len(odd):
        places = listed([str(m) for m in odd["unlabelled"]])
        return sentence(f"{label}: {_WHAT[quantity]} was measured or predicted at m = {places}, but not both."), False
    if not len(known):
        return sentence(
            f"{label}: the wrongly labelled coflow never leaves its first queue, measured and predicted."
        ), True
    off = (known["over_predicted"] - 1).abs().to_numpy()
    at = known["unlabelled"].to_numpy()
    who = f"{label}: measured {_WHAT[quantity]}"
    if (off <= GOAL).all():
        return sentence(
            f"{who} is within {percent(float(off.max()))} of the prediction at every m ({_places(at)})."
        ), True
    beyond = [
        f"m = {m} (measured / predicted {ratio:.2f})"
        for m, ratio in zip(at[off > GOAL], known["over_predicted"].to_numpy()[off > GOAL], strict=True)
    ]
    within = at[off <= GOAL]
    rest = f"; within it at m = {_places(within)}" if len(within) else ""
    return sentence(f"{who} is more than {GOAL:.0%} off the prediction at {listed(beyond)}{rest}."), False


def _places(values: np.ndarray) -> str:
    """'0 to 9' of consecutive numbers, else '0, 5 and 9'."""
    if len(values) > 2 and (np.diff(values) == 1).all():
        return f"{values[0]} to {values[-1]}"
    return listed([str(value) for value in values])


def _offsets(measured: pd.DataFrame) -> Iterator[str]:
    """Measured against predicted seconds as a constant and a factor, per quantity over all labels."""
    why = {
        RESIDENCE: "the first bytes' way to the receivers, TCP's start, and the way of their counts to the scheduler",
        CCT: "that of the residence, TCP's start once more, and packets of others that stand in the sender's queue",
    }
    for quantity, part in measured.groupby("quantity", sort=False):
        known = part[part["predicted_s"].notna() & part["mean_s"].notna()]
        predicted, mean = known["predicted_s"].to_numpy(), known["mean_s"].to_numpy()
        if len(np.unique(predicted.round(6))) < _FEW_POINTS:
            continue
        factor, constant_s = np.polyfit(predicted, mean, 1)
        excess = (mean - predicted) * 1e3
        yield (
            f"Measured {_WHAT[str(quantity)]} less the predicted is {excess.min():.0f} to {excess.max():.0f} ms; "
            f"the line through all points is {constant_s * 1e3:.0f} ms + {factor:.3f} x predicted. A constant part is "
            f"likely latency, which the fluid does not have: {why[str(quantity)]}. It weighs most where little is "
            "waited for: it raises the base at m = 0 and lowers the multiples of it. A factor other than 1 is likely "
            "sharing: pacing keeps 2% free, and TCP divides no queue evenly, least of all among short flows."
        )


def _simulated(simulated: pd.DataFrame) -> Iterator[str]:
    known = simulated[simulated["predicted_s"].notna() & simulated["mean_s"].notna()]
    if len(known):
        off = float((known["over_predicted"] - 1).abs().max())
        word = "to within rounding" if off < 1e-5 else f"to within {percent(off)}"
        yield f"The simulator and the separate fluid calculation agree {word}, at every m and in both quantities."


def _missing(data: Behind) -> Iterator[str]:
    if not (data.runs["source"] == "emulation").any():
        yield "Not measured on the emulated network; the figures are simulated and predicted ones."
        return
    counts = data.runs[data.runs["source"] == "emulation"].groupby(["label", "unlabelled"])["run"].nunique()
    if counts.min() == 1:
        yield "Points with one run have no interval: how much they change from run to run is not known."
