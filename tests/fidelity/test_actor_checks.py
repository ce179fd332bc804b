from __future__ import annotations

import pandas as pd
import pytest
from good_runs import assessed, check, good_run


@pytest.mark.parametrize(
    ("late_s", "expected"), [(0.0049, "valid"), (0.0051, "degraded"), (0.019, "degraded"), (0.021, "invalid")]
)
def test_late_actors_are_caught(late_s: float, expected: str) -> None:
    plan, outcome = good_run()
    outcome.samples["lateness"] = pd.DataFrame({
        "host": ["h0", "h0", "h1"], "late_s": [0.0001, late_s, 0.0002], "timers": [90, 10, 100],
    })  # fmt: skip
    found = check(assessed(plan, outcome), "actor lateness p99")
    assert (found.figure, found.verdict) == (pytest.approx(late_s * 1e3), expected)
    assert found.details == {"p50": pytest.approx(0.2), "worst host": pytest.approx(late_s * 1e3), "timers": 200}
    if expected != "valid":
        assert found.words == (
            f"the actors wrote late, that of h0 most ({late_s * 1e3:.4g} ms at p99): they did not have their turns on "
            "the processors; close other programs, lower link.rate, or use fewer hosts"
        )


def test_one_late_timer_in_a_thousand_does_not_count_at_p99_but_a_stall_shows() -> None:
    plan, outcome = good_run()
    outcome.samples["lateness"] = pd.DataFrame({
        "host": ["h0", "h1"], "late_s": [0.0001, 0.7], "timers": [999, 1],
    })  # fmt: skip
    verdict = assessed(plan, outcome)
    assert check(verdict, "actor lateness p99").verdict == "valid"
    assert (verdict.verdict, [check.name for check in verdict.failed]) == ("degraded", ["actor stall, longest"])
    assert str(verdict.failed[0]) == "actor stall, longest: 700 ms (at most 200 ms): degraded"
    assert verdict.failed[0].words == (
        "the actor of h1 stood still for that long in mid-run, and its flows with it: the machine was paused or "
        "overloaded; run again when it is quiet"
    )
