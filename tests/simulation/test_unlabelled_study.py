"""Unlabelled flows under a blind scheduler: how long a coflow stays in its first queue, and what others pay for it.

One sender of 5 MB/s and ten receivers; a large coflow of ten flows at instant 0, of which m carry no label, and a
small one of ten flows, 0.5 MB in all, 10 ms later. D-CLAS with a first limit of 1 MB, strict.
"""

from __future__ import annotations

import numpy as np
import pytest

from testbed.outcome import Outcome
from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch_plan

M = 10
LARGE, SMALL = {(0, out): 10_000_000 for out in range(M)}, {(0, out): 50_000 for out in range(M)}


def run(m: int, unlabelled_class: str, enforcement: tuple[str, ...], compiled: bool = True) -> Outcome:
    jobs = [
        Job(LARGE, unlabelled=frozenset((0, out) for out in range(M - m, M))),
        Job(SMALL, arrival_s=0.010),
    ]
    plan = big_switch_plan(
        jobs,
        "dclas",
        {"first_limit": 1_000_000, "factor": 1000, "sharing": "strict"},
        capacity_Bps=5e6,
        unlabelled_class=unlabelled_class,
        enforcement=enforcement,
    )
    return simulate(plan, compiled=compiled)


def residence_s(outcome: Outcome) -> float:
    """When the large coflow leaves its first queue: the first decision that has its flow 0 in queue 1."""
    return next(d.at_s for d in outcome.decisions if d.queue[d.flows == 0].tolist() == [1])


def small_cct_s(outcome: Outcome) -> float:
    return float(np.max(outcome.finish_s[M:])) - 0.010


@pytest.mark.parametrize("m", range(10))
def test_residence_grows_as_m_over_what_is_labelled(m: int) -> None:
    """The law: M / (M - m) times as long, where unlabelled flows share the top class."""
    assert residence_s(run(m, "top", ("pacing",))) == pytest.approx(0.2 * M / (M - m), rel=1e-9)


@pytest.mark.parametrize(
    ("unlabelled_class", "enforcement", "half", "most"),
    [
        ("top", ("pacing",), 1.86, 7.52),
        ("top", ("pacing", "queue"), 1.86, 7.52),
        ("own", ("pacing", "queue"), 1.69, 7.21),
        ("bottom", ("pacing", "queue"), 1.00, 1.00),
    ],
)
def test_what_the_small_coflow_pays(
    unlabelled_class: str, enforcement: tuple[str, ...], half: float, most: float
) -> None:
    alone_s = small_cct_s(run(0, unlabelled_class, enforcement))
    assert alone_s == pytest.approx(0.29, rel=1e-9)
    ratios = [small_cct_s(run(m, unlabelled_class, enforcement)) / alone_s for m in (5, 9)]
    assert [round(ratio, 2) for ratio in ratios] == [half, most]
