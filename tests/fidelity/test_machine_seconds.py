"""The checks that look at single seconds of the machine."""

from __future__ import annotations

import pandas as pd
import pytest
from good_runs import assessed, check, good_run

from testbed.fidelity import Verdict

SECONDS = 60


def verdict_of(**changed: dict[int, float]) -> Verdict:
    """Of a minute that is quiet but for some seconds of some columns."""
    plan, outcome = good_run()
    shares = {"idle": 0.4, "steal": 0.0, "foreign": 0.01}
    table = pd.DataFrame({"at_s": [second + 1.0 for second in range(SECONDS)], **shares, "own": 0.5})
    for column, values in changed.items():
        for second, value in values.items():
            table.loc[second, column] = value
    outcome.samples["processors"] = table
    return assessed(plan, outcome)


@pytest.mark.parametrize(
    ("column", "name", "share", "words"),
    [
        (
            "foreign", "foreign load, worst second", 0.3,
            "other programs used the processors then: close them and run again",
        ),
        (
            "steal", "steal, worst second", 0.15,
            "the hypervisor gave processor time to other machines then: run again when it is quiet",
        ),
    ],
)  # fmt: skip
def test_one_bad_second_that_the_mean_hides_is_named(column: str, name: str, share: float, words: str) -> None:
    verdict = verdict_of(**{column: {16: share}})
    assert (verdict.verdict, [check.name for check in verdict.failed]) == ("degraded", [name])
    assert (verdict.failed[0].figure, verdict.failed[0].details) == (share, {"at": 17.0})
    assert verdict.failed[0].words == f"in the second up to 17.0 s; {words}"


def test_a_machine_that_the_testbed_itself_saturated_makes_the_run_invalid() -> None:
    verdict = verdict_of(idle={4: 0.0, 20: 0.01, 21: 0.0, 22: 0.005})
    assert (verdict.verdict, verdict.exit_status) == ("invalid", 3)
    assert str(verdict.failed[0]) == "processors saturated, seconds in a row: 3 s (at most 2 s): invalid"
    assert verdict.failed[0].details == {"least idle": 0.0, "at": 5.0}
    assert verdict.failed[0].words == (
        "from second 20 on the testbed itself left no processor idle: the emulated network did what the processors "
        "allow, not what its links do; lower link.rate, use fewer hosts or switches, raise the MTU, use the kernel "
        "datapath, or a machine with more processors (`testbed calibrate` tells what one carries)"
    )


def test_single_saturated_seconds_are_chance() -> None:
    assert check(verdict_of(idle={4: 0.0, 5: 0.0, 9: 0.0}), "processors saturated, seconds in a row").verdict == "valid"


def test_a_machine_that_others_saturated_degrades_the_run() -> None:
    busy = range(10, 16)
    verdict = verdict_of(idle=dict.fromkeys(busy, 0.0), foreign=dict.fromkeys(busy, 0.5))
    assert verdict.verdict == "degraded"
    assert [check.name for check in verdict.failed] == ["foreign load, worst second"]
