from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from good_runs import assessed, check, good_run
from run_factory import RATE_BPS, departure_samples

from testbed.fidelity.departure_checks import gaps_of

DEPARTURES = "departures off the ideal, p99"


@pytest.mark.parametrize(("stretch", "expected"), [(1.2, "valid"), (1.3, "degraded"), (2.5, "invalid")])
def test_frames_that_leave_too_slowly_are_caught(stretch: float, expected: str) -> None:
    plan, outcome = good_run()
    outcome.samples["departures"] = departure_samples(plan, stretch=stretch)
    found = check(assessed(plan, outcome), DEPARTURES)
    assert (found.verdict, found.figure) == (expected, pytest.approx(stretch * 1.01 - 1))
    assert found.details["gaps"] == 2 * 59
    if expected != "valid":
        assert found.words == (
            "frames that stood in a queue did not leave it at the link's rate: the kernel's timers were late, or a "
            "shaper was changed; close other programs, lower link.rate, or run `testbed clean` and repeat the run"
        )


def test_few_departures_tell_nothing() -> None:
    plan, outcome = good_run()
    outcome.samples["departures"] = departure_samples(plan, frames=10)
    assert assessed(plan, outcome).unmeasured[DEPARTURES] == (
        "18 frames left a queue one after the other where that was noted; 100 tell"
    )


def test_gaps_are_within_windows_and_between_full_frames() -> None:
    plan, _ = good_run()
    departures = pd.DataFrame({
        "window": [0, 0, 0, 1, 1], "link": [0, 0, 0, 3, 3],
        "at_s": [0.0, 0.002, 0.0021, 5.0, 5.5], "bytes": [1514, 66, 1514, 1514, 1514],
    })  # fmt: skip
    gaps = gaps_of(plan, departures)
    np.testing.assert_allclose(gaps.measured_s, [0.0021, 0.5])
    np.testing.assert_allclose(gaps.ideal_s, [(1514 + 66) * 8 / RATE_BPS, 1514 * 8 / RATE_BPS])


def test_a_frame_that_stands_for_several_takes_their_time() -> None:
    plan, _ = good_run()
    departures = pd.DataFrame({"window": 0, "link": 0, "at_s": [0.0, 0.01], "bytes": [66 + 3 * 1448, 1514]})
    np.testing.assert_allclose(gaps_of(plan, departures).ideal_s, 3 * 1514 * 8 / RATE_BPS)


def test_on_a_fast_link_a_gap_is_held_against_a_burst() -> None:
    plan, _ = good_run()
    links = tuple(replace(link, rate_bps=1e9) for link in plan.fabric.links)
    fast = replace(plan, fabric=replace(plan.fabric, links=links))
    gaps = gaps_of(fast, pd.DataFrame({"window": 0, "link": 0, "at_s": [0.0, 0.0002], "bytes": 1514}))
    np.testing.assert_allclose(gaps.off, (0.0002 - 1514 * 8 / 1e9) / 0.001)


def test_a_class_that_has_its_share_early_is_made_up_for() -> None:
    plan, _ = good_run()
    ideal_s = 1514 * 8 / RATE_BPS
    at_s = np.cumsum([1.0, *[1.0, 0.3, 1.7] * 10]) * ideal_s
    departures = pd.DataFrame({"window": 0, "link": 0, "at_s": at_s, "bytes": 1514})
    assert gaps_of(plan, departures).off.max() == pytest.approx(0.7)
    classes = gaps_of(replace(plan, enforcement=("queue",)), departures)
    assert len(classes.off) == 31 - 8
    assert classes.off.max() < 0.1
    slow = gaps_of(replace(plan, enforcement=("queue",)), departures.assign(at_s=at_s * 1.5))
    assert slow.off.min() > 0.3
