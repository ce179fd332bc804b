from __future__ import annotations

from pathlib import Path

import numpy as np
from run_factory import F, finish_at, gammas_of, make_plan
from run_writer import WriteRun

from testbed.analysis.page.words import Words, words
from testbed.analysis.report import summarize
from testbed.records.run_directory import Run, create, read_run


def said(*runs: Run) -> Words:
    return words(runs, summarize(runs))


def test_sound_runs_a_clear_factor_and_close_agreement_are_trusted(write_run: WriteRun) -> None:
    slow, fast = dict.fromkeys(range(1, 9), 4.0), dict.fromkeys(range(1, 9), 2.0)
    found = said(write_run("fair", slow), write_run("sebf", fast))
    assert found.trust == (
        "All simulated runs (fair, sebf): within every limit that was checked.",
        "tiny, simulated: under sebf the mean CCT is 2.00 times shorter than under fair (95\u00a0% interval 2.00 to "
        "2.00, over coflows).",
    )
    assert found.doubt == ()
    assert found.change == ()  # a simulation repeats exactly


def test_a_scheduler_that_is_worse_is_called_longer(write_run: WriteRun) -> None:
    slow, fast = dict.fromkeys(range(1, 9), 4.0), dict.fromkeys(range(1, 9), 2.0)
    found = said(write_run("fair", fast), write_run("fifo", slow))
    assert "under fifo the mean CCT is 2.00 times longer than under fair" in found.trust[1]


def test_many_schedulers_share_a_sentence(write_run: WriteRun) -> None:
    times = {"fair": 4.0, "sebf": 2.0, "scf": 2.5, "dclas": 3.2, "fifo": 8.0}
    found = said(*(write_run(name, dict.fromkeys(range(1, 9), cct)) for name, cct in times.items()))
    assert found.trust[1:] == (
        "tiny, simulated: against fair the mean CCT is shorter under sebf (2.00 times), scf (1.60 times), dclas (1.25 "
        "times); longer under fifo (2.00 times). Every 95\u00a0% interval leaves out 1.",
    )


def test_an_open_factor_and_unfinished_coflows_are_doubted(write_run: WriteRun) -> None:
    found = said(write_run("fair", {1: 2.0, 2: 4.0, 3: 3.0}), write_run("sebf", {1: 4.0, 2: 2.0, 3: np.nan}))
    assert "tiny, simulated, sebf: 1 coflows did not finish; the CCTs are those of the others." in found.doubt
    assert (
        "tiny, simulated: whether sebf is better than fair is open: the factor is 1.00, and no interval shows it to "
        "differ from 1." in found.doubt
    )


def test_emulation_far_from_simulation_is_doubted_and_repeats_are_asked_for(write_run: WriteRun) -> None:
    found = said(write_run("fair", {1: 2.0, 2: 4.0}), write_run("fair", {1: 3.0, 2: 6.0}, source="emulation"))
    assert found.doubt == (
        "tiny, fair: half of the coflows have an emulated CCT within 50\u00a0% of the simulated one, 90\u00a0% within "
        "50\u00a0%; mean emulated / mean simulated is 1.50.",
    )
    assert found.change == (
        "Say repeats: 5 in the experiment to learn how much the figures change from run to run: with one run each, the "
        "intervals only say how much they hang on single coflows.",
    )
    assert any("Not measured, so not vouched for: " in sentence for sentence in found.trust)


def test_a_failed_check_is_doubted_with_its_remedy_and_spoils_the_factor(write_run: WriteRun, tmp_path: Path) -> None:
    fair = write_run("fair", dict.fromkeys(range(1, 9), 4.0))
    plan = make_plan([F(c, c % 4, (c + 1) % 4, 1_000_000) for c in range(1, 9)], {c: float(c) for c in range(1, 9)},
                     scheduler="sebf")  # fmt: skip
    outcome = finish_at(plan, dict.fromkeys(range(1, 9), 2.0), "simulation")
    outcome.received_bytes[0] = 7
    directory = create(tmp_path, plan, "simulation")
    directory.write_outcome(outcome, gammas_of(plan))
    found = said(fair, read_run(directory.path))
    assert found.trust == ("Simulated runs of fair: within every limit that was checked.",)
    assert found.doubt[0] == f"{directory.path.name}: conservation of bytes: 1 flows (at most 0 flows): invalid."
    assert found.doubt[1].endswith("A run behind it is invalid: do not use the figure.")
    assert found.change[0].startswith("Flow 0 of 1000000 bytes sent 1000000 and delivered 7; bytes were lost")
