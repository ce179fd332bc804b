"""Priority classes: folding, weights, and where flows without a label go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.errors import SchedulerError
from testbed.scheduling import registry
from testbed.scheduling.classes import classes
from testbed.simulation.instance import Job

if TYPE_CHECKING:  # each folder of tests has a conftest, and all have one name
    from conftest import MakeView

TEN = [Job({(i, i): 1 + i}) for i in range(10)]
PARTLY = [Job({(0, 1): 5, (0, 2): 5}, unlabelled=frozenset({(0, 2)})), Job({(1, 1): 1})]


def test_an_order_folds_onto_eight_classes(make_view: MakeView) -> None:
    view = make_view(TEN, "sebf")
    folded = classes(view, registry.make("sebf", {}).allocate(view))
    assert folded.queue.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    assert folded.weight is None


def test_a_dclas_queue_is_its_own_class_and_keeps_its_weight(make_view: MakeView) -> None:
    parameters = {"first_limit": 2, "factor": 2, "queues": 10}
    jobs = [Job({(i, i): 5000}) for i in range(4)]
    view = make_view(jobs, "dclas", parameters, received=[0, 3, 9, 1500])
    folded = classes(view, registry.make("dclas", parameters).allocate(view))
    assert folded.queue.tolist() == [0, 1, 3, 7]
    assert folded.weight is not None
    assert folded.weight.tolist() == [10, 9, 8, 7, 6, 5, 4, 3]


def test_classes_beyond_the_last_queue_weigh_as_much_as_it(make_view: MakeView) -> None:
    parameters = {"first_limit": 2, "factor": 2, "queues": 2}
    view = make_view(PARTLY, "dclas", parameters)
    folded = classes(view, registry.make("dclas", parameters).allocate(view), "bottom")
    assert folded.queue.tolist() == [0, 0, 7]
    assert folded.weight is not None
    assert folded.weight.tolist() == [2, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("where", "expected"), [("top", 0), ("bottom", 7), ("own", 1)])
def test_flows_without_a_label(make_view: MakeView, where: str, expected: int) -> None:
    view = make_view(PARTLY, "sebf")
    assert view.flow.tolist() == [0, 2, 1]
    allocation = registry.make("sebf", {}).allocate(view)
    folded = classes(view, allocation, where, np.array([0, 1, 0]))
    assert folded.queue.tolist() == [1, 0, expected]


def test_own_class_without_labelled_flows_is_the_top(make_view: MakeView) -> None:
    view = make_view(PARTLY, "sebf", received=[5, 0, 0])
    allocation = registry.make("sebf", {}).allocate(view)
    assert classes(view, allocation, "own", np.array([1, 0])).queue.tolist() == [0, 0]
    assert classes(view, allocation, "own", np.array([1, -1])).queue.tolist() == [0, 0]


def test_an_unknown_place(make_view: MakeView) -> None:
    view = make_view(PARTLY, "sebf")
    with pytest.raises(SchedulerError) as caught:
        classes(view, registry.make("sebf", {}).allocate(view), "botom")
    assert str(caught.value) == "unknown unlabelled_class 'botom'; did you mean 'bottom'? known: bottom, own, top"
