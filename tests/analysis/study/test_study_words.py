"""What the parts say, from tables written by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from testbed.analysis.study.behind import CCT, RESIDENCE, Behind
from testbed.analysis.study.behind_words import behind_words
from testbed.analysis.study.prediction import Coflow, law
from testbed.analysis.study.share_words import share_words
from testbed.analysis.study.shares import ALL, LABELLED, Shares
from testbed.analysis.study.starts import spreads
from testbed.analysis.study.starts_part import starts_section

NAN = float("nan")


def point(
    quantity: str, m: int, mean_s: float, predicted_s: float, base: tuple[float, float], **other: Any
) -> dict[str, Any]:
    return {"label": "class top", "quantity": quantity, "unlabelled": m, "source": "emulation", "runs": 5,
            "mean_s": mean_s, "low_s": NAN, "high_s": NAN, "predicted_s": predicted_s,
            "over_predicted": mean_s / predicted_s, "law": law(10, m), "times": mean_s / base[0],
            "predicted_times": predicted_s / base[1], **other}  # fmt: skip


def of(rows: list[dict[str, Any]]) -> Behind:
    runs = pd.DataFrame([{"label": row["label"], "unlabelled": row["unlabelled"], "source": row["source"],
                          "run": f"{row['unlabelled']}-{repeat}"} for row in rows for repeat in range(5)])  # fmt: skip
    return Behind(runs, pd.DataFrame(rows), ((Coflow(10, 1e6), Coflow(10, 1e4, 0.01)),), 2.5e6)


def test_points_beyond_the_goal_are_named() -> None:
    stay, cct = (0.44, 0.40), (0.70, 0.60)
    words = behind_words(of([
        point(RESIDENCE, 0, 0.44, 0.40, stay), point(RESIDENCE, 5, 0.84, 0.80, stay),
        point(RESIDENCE, 9, 4.04, 4.00, stay),
        point(CCT, 0, 0.70, 0.60, cct), point(CCT, 5, 1.30, 1.10, cct), point(CCT, 9, 4.50, 4.40, cct),
    ]))  # fmt: skip
    assert words.headline == (
        "measured: with 9 labels taken away, the CCT of what comes behind it changes by +543% (class top)."
    )
    assert words.found[1] == (
        "Class top: measured the wrongly labelled coflow's residence in its first queue is within 10% of the "
        "prediction at every m (0, 5 and 9)."
    )
    assert words.deviates[0] == (
        "Class top: measured the CCT of what comes behind it is more than 15% off the prediction at m = 0 (measured / "
        "predicted 1.17) and m = 5 (measured / predicted 1.18); within it at m = 9."
    )
    assert words.deviates[1].startswith(
        "Measured the wrongly labelled coflow's residence in its first queue less the predicted is 40 to 40 ms; the "
        "line through all points is 40 ms + 1.000 x predicted. A constant part is likely latency"
    )
    assert words.missing == ()


def test_a_coflow_that_never_leaves_has_no_residence() -> None:
    never = {"times": NAN, "predicted_times": NAN}
    words = behind_words(of([
        point(RESIDENCE, 0, NAN, NAN, (1, 1), **never), point(RESIDENCE, 9, NAN, NAN, (1, 1), **never),
        point(CCT, 0, 0.41, 0.40, (0.41, 0.40)), point(CCT, 9, 0.41, 0.40, (0.41, 0.40)),
    ]))  # fmt: skip
    assert words.found == (
        "Class top, measured: taking 9 labels away changes the CCT of what comes behind it by +0%: no effect; the "
        "large one never leaves its first queue, as predicted.",
        "Class top: the wrongly labelled coflow never leaves its first queue, measured and predicted.",
        "Class top: measured the CCT of what comes behind it is within 2.5% of the prediction at every m (0 and 9).",
    )
    assert words.deviates == ()


def test_an_end_that_was_not_predicted_is_told() -> None:
    words = behind_words(of([
        point(RESIDENCE, 0, 0.4, 0.4, (0.4, 0.4)), point(RESIDENCE, 9, NAN, 4.0, (0.4, 0.4)),
        point(CCT, 0, 0.4, 0.4, (0.4, 0.4)), point(CCT, 9, 4.0, 4.0, (0.4, 0.4)),
    ]))  # fmt: skip
    assert words.deviates[0] == (
        "Class top: the wrongly labelled coflow's residence in its first queue was measured or predicted at m = 9, but "
        "not both."
    )


def share(source: str, part: str, times: float, low: float, high: float, coflows: int = 40) -> dict[str, Any]:
    return {"point": "", "scheduler": "sebf", "source": source, "share": 0.5, "set": part, "runs": 1,
            "coflows": coflows, "mean_s": times, "p95_s": times, "times": times, "low": low, "high": high,
            "p95_times": 1.5}  # fmt: skip


def test_shares_in_words() -> None:
    rows = [share("simulation", ALL, 1.5, 1.2, 1.8), share("simulation", LABELLED, 2.0, NAN, NAN, 4),
            share("emulation", ALL, 1.2, 0.9, 1.5), share("emulation", LABELLED, 2.5, NAN, NAN, 4)]  # fmt: skip
    words = share_words(Shares(pd.DataFrame({"a": [1]}), pd.DataFrame(rows), pd.DataFrame()))
    assert words.headline == "measured: with 50% of the flows unlabelled the mean CCT is 1.20 times under sebf."
    assert words.found[0] == (
        "Simulated, sebf: with 50% of the flows unlabelled the mean CCT of all coflows is 1.50 times as long (1.20 to "
        "1.80), the 95th percentile 1.50 times; that of the 4 coflows that kept every label is 2.00 times as long, the "
        "95th percentile 1.50 times (each against the same coflows with every label there)."
    )
    assert words.deviates[1:] == (
        "Measured, sebf, share 0.5: only 4 coflows keep every label; their figures are anecdotes. At random, a wide "
        "coflow hardly ever keeps all.",
        "Measured, sebf: whether a share of 50% changes the mean is open, the interval 0.90 to 1.50 holds 1.",
        "sebf, share 0.5, all coflows: measured 1.20 times, simulated 1.50 times (-20% apart): one run each, and "
        "TCP's sharing beside the scheduler is not exactly max-min.",
    )
    assert words.missing == ()


def starts_of(late_ms: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"sweep": "a", "run": "r", "coflow": [1] * len(late_ms), "planned_s": 0.0,
                         "late_s": [late / 1e3 for late in late_ms]})  # fmt: skip


def test_starts_are_judged_by_their_99th_percentile() -> None:
    good = starts_section(starts_of([0.5] * 101))
    assert good.words.found == (
        "101 flows: half started within 0.50 ms of their planned instant, 99% within 0.50 ms, the last 0.50 ms late. "
        "In 99% of the coflows all starts, each against its planned instant, lie within 0.00 ms of one another.",
    )
    late = starts_section(starts_of([0.5] * 90 + [8.0] * 10))
    assert late.words.found == ()
    assert late.words.deviates[0].endswith(
        "lie within 7.50 ms of one another. That is above the goal of 3 ms: the machine was busy, or many flows start "
        "at one instant; so in a (8.00 ms)."
    )


def test_the_spread_is_within_a_coflow_of_a_run() -> None:
    starts = pd.concat([starts_of([1.0, 2.0]), starts_of([5.0, 5.5]).assign(run="other")])
    assert spreads(starts)["spread_p99_ms"].tolist() == pytest.approx([0.5 + 0.99 * 0.5])
