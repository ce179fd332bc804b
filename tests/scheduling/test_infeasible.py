"""An answer that cannot be carried out is refused at once: who, when, what it was, what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from testbed.cli import program
from testbed.display import Display
from testbed.errors import SchedulerError, SimulationError
from testbed.runner import run_simulated
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch_plan

PLAN = big_switch_plan([Job({(0, 0): 3}), Job({(0, 1): 2, (1, 2): 6}, arrival_s=1.0)])
"""At instant 1 there are coflows 0 and 1 with flows 0, 1 and 2; flow 0 has received 1 byte."""

Change = Callable[[View, Allocation], Any]


class Faulty(Scheduler):
    """Fair, until the second coflow is there; then its answer is changed."""

    name = "faulty"

    def __init__(self, change: Change) -> None:
        self.change = change

    def allocate(self, view: View) -> Any:
        sound = Allocation(
            cap_Bps=np.full(len(view.flow), np.inf),
            queue=np.zeros(len(view.flow), dtype=np.int64),
            order=np.arange(len(view.coflow)),
        )
        return sound if len(view.coflow) < 2 else self.change(view, sound)


def answer(**changes: Any) -> Change:
    return lambda view, sound: replace(sound, **changes)


MISTAKES: list[tuple[str, Change, str]] = [
    (
        "nothing",
        lambda view, sound: None,
        "allocate returned NoneType; expected a testbed.scheduling.base.Allocation",
    ),
    (
        "NaN",
        answer(cap_Bps=np.array([1.0, np.nan, 1.0])),
        "cap_Bps of flow 1 is nan; expected 0 or more, or inf for no cap",
    ),
    (
        "negative",
        answer(cap_Bps=np.array([1.0, 1.0, -0.5])),
        "cap_Bps of flow 2 is -0.5; expected 0 or more, or inf for no cap",
    ),
    ("too few", answer(cap_Bps=np.ones(2)), "cap_Bps has 2 entries; expected 3, one per flow of the view"),
    (
        "a list",
        answer(cap_Bps=[1.0, 1.0, 1.0]),
        "cap_Bps is [1.0, 1.0, 1.0]; expected a flat array of numbers, one per flow",
    ),
    (
        "a matrix",
        answer(cap_Bps=np.ones((3, 1))),
        "cap_Bps is an array of float64 of shape (3, 1); expected a flat array of numbers, one per flow",
    ),
    (
        "words",
        answer(cap_Bps=np.array(["1", "1", "1"])),
        "cap_Bps is an array of <U1 of shape (3,); expected a flat array of numbers, one per flow",
    ),
    ("negative queue", answer(queue=np.array([0, -1, 0])), "queue of flow 1 is -1; expected 0 or more"),
    (
        "broken queue",
        answer(queue=np.zeros(3)),
        "queue is an array of float64 of shape (3,); expected a flat array of integers, one per flow",
    ),
    ("order twice", answer(order=np.array([1, 1])), "order is [1, 1]; expected every coflow row from 0 to 1 once"),
    (
        "order too short",
        answer(order=np.array([1])),
        "order has 1 entries; expected 2, one per coflow of the view",
    ),
    (
        "weights",
        answer(queue=np.array([0, 2, 0]), queue_weight=np.array([1.0, 1.0])),
        "queue_weight is [1.0, 1.0]; expected a weight above 0 for each of 3 classes",
    ),
    (
        "no weight",
        answer(queue_weight=np.array([0.0])),
        "queue_weight is [0.0]; expected a weight above 0 for each of 1 classes",
    ),
    ("reject", answer(reject=np.array([2])), "reject is [2]; expected coflow rows from 0 to 1"),
    ("cut", answer(cut=np.array([-1])), "cut is [-1]; expected coflow rows from 0 to 1"),
    ("past", answer(ask_again_s=1.0), "ask_again_s is 1.0; expected an instant after now"),
    ("no instant", answer(ask_again_s=float("nan")), "ask_again_s is nan; expected an instant after now"),
    (
        "passed threshold",
        answer(ask_at_received=np.array([1.0, 9.0])),
        "ask_at_received of coflow 0 is 1.0; expected more than the 1.0 bytes it has received",
    ),
]


@pytest.mark.parametrize(("change", "expected"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_refused(change: Change, expected: str) -> None:
    with pytest.raises(SchedulerError) as error:
        simulate(PLAN, scheduler=Faulty(change))
    assert str(error.value) == f"scheduler faulty at 1 s: {expected}"


def test_caps_above_the_capacity_are_what_the_network_makes_of_them() -> None:
    """Not a mistake: caps may exceed what the links carry, the resulting rates do not."""
    outcome = simulate(PLAN, scheduler=Faulty(answer(cap_Bps=np.array([100.0, 100.0, 100.0]))))
    assert outcome.finish_s.tolist() == pytest.approx([5, 5, 7], rel=1e-9)


def test_whole_numbers_may_be_caps() -> None:
    outcome = simulate(PLAN, scheduler=Faulty(answer(cap_Bps=np.array([1, 1, 1]))))
    assert outcome.finish_s[2] == pytest.approx(7, rel=1e-9)


def test_one_that_serves_nobody_cannot_progress() -> None:
    with pytest.raises(SimulationError) as error:
        simulate(PLAN, scheduler=Faulty(answer(cap_Bps=np.zeros(3))))
    assert str(error.value) == (
        "scheduler faulty at 1 s: nothing can progress: flows 0, 1, 2 have bytes left and rate 0, nothing else is due, "
        "and the scheduler does not ask to be asked again; check its caps, and for links without capacity on the path"
    )


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "plain"])
@pytest.mark.parametrize("scheduler", ["fair", "fifo", "sebf", "dclas", "bssi", "srpt", "wss", "fair-coflowsim"])
def test_a_link_without_capacity_cannot_be_passed(scheduler: str, compiled: bool) -> None:
    """In port 1 has failed: flow 1 stands still, the other one is carried to its end, and then nothing is left."""
    plan = big_switch_plan([Job({(0, 0): 3}), Job({(1, 1): 2})], scheduler, capacity_Bps=[1, 0, 1, 1])
    with pytest.raises(SimulationError) as error:
        simulate(plan, compiled=compiled)
    assert str(error.value) == (
        f"scheduler {scheduler} at 3 s: nothing can progress: flow 1 has bytes left and rate 0, nothing else is due, "
        "and the scheduler does not ask to be asked again; check its caps, and for links without capacity on the path"
    )


def test_a_label_must_be_a_coflow_of_the_plan() -> None:
    plan = replace(PLAN, flows=replace(PLAN.flows, label=np.array([0, 7, 1])))
    with pytest.raises(SchedulerError) as error:
        simulate(plan)
    assert str(error.value) == (
        "flow 1: its label is 7, which is no coflow of the plan; expected the id of a coflow in the workload, or none"
    )


def test_a_view_for_a_blind_scheduler_is_of_no_use_to_another() -> None:
    class Blind(Faulty):
        clairvoyant = False

    from testbed.scheduling.sebf import Sebf

    with pytest.raises(SchedulerError) as error:
        simulate(PLAN, scheduler=Blind(lambda view, sound: Sebf().allocate(view)))
    assert str(error.value) == (
        "the view holds no remaining bytes: it was made for a scheduler that is not clairvoyant"
    )


def test_a_run_that_is_refused_leaves_its_plan_and_no_records(tmp_path: Path) -> None:
    plan = big_switch_plan([Job({(0, 0): 3}), Job({(1, 1): 2})], "sebf", capacity_Bps=[1, 0, 1, 1])
    with pytest.raises(SimulationError):
        run_simulated(plan, tmp_path, Display())
    (directory,) = tmp_path.iterdir()
    assert sorted(path.name for path in directory.iterdir() if path.is_file()) == ["manifest.json", "plan.json"]


def test_an_unknown_parameter_starts_nothing(tmp_path: Path) -> None:
    experiment = Path(__file__).parents[2] / "experiments/worked-example-a.yml"
    out = tmp_path / "results"
    wrong = "schedulers=[{name: dclas, queus: 3}]"
    result = CliRunner().invoke(program, ["simulate", str(experiment), "--set", wrong, "--out", str(out)])
    assert str(result.exception).endswith(
        "unknown parameter of scheduler dclas 'queus'; did you mean 'queues'? "
        "known: factor, first_limit, minimum_size, queues, sharing, sync"
    )
    assert not out.exists()
