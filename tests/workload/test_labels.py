"""Taking labels away: how many, from which flows, and the same ones for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from testbed.coflow import NONE
from testbed.errors import SpecError
from testbed.spec.workload import ExplicitSpec, UnlabelledSpec
from testbed.workload.draft import Draft
from testbed.workload.explicit import explicit_draft
from testbed.workload.labels import unlabel

SHUFFLE = {"mappers": [0, 1, 2, 3, 4], "reducers": {8: "10 MB", 9: "10 MB"}}
BROADCAST = {"from": 7, "to": list(range(10, 20)), "size": "1 MB"}


def blame(path: tuple[str | int, ...], message: str) -> SpecError:
    return SpecError(f"{path}: {message}")


@pytest.fixture
def draft() -> Draft:
    coflows = [{"id": 1, "shuffle": SHUFFLE}, {"id": 2, "broadcast": BROADCAST}]
    return explicit_draft(ExplicitSpec.model_validate({"kind": "explicit", "coflows": coflows})).in_order()


@pytest.mark.parametrize("flows", [0, 5, 10])
def test_so_many_flows_of_one_coflow(draft: Draft, flows: int) -> None:
    made = unlabel(draft, UnlabelledSpec(coflow=2, flows=flows), 1, blame)
    lost = made.label == NONE
    assert lost.sum() == flows
    assert set(made.coflow[lost].tolist()) <= {2}
    assert np.array_equal(made.coflow, draft.coflow)  # the truth stays


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.33, 7), (1.0, 20)])
def test_a_share_of_all_flows(draft: Draft, share: float, expected: int) -> None:
    made = unlabel(draft, UnlabelledSpec(share=share, seed=4), 1, blame)
    assert (made.label == NONE).sum() == expected
    again = unlabel(draft, UnlabelledSpec(share=share, seed=4), 2, blame)
    assert np.array_equal(made.label, again.label)


def test_without_a_seed_of_its_own_the_runs_seed_decides(draft: Draft) -> None:
    labels = {unlabel(draft, UnlabelledSpec(share=0.5), seed, blame).label.tobytes() for seed in range(6)}
    assert len(labels) == 6


def test_too_many_flows_or_no_such_coflow(draft: Draft) -> None:
    with pytest.raises(SpecError) as error:
        unlabel(draft, UnlabelledSpec(coflow=2, flows=11), 1, blame)
    assert str(error.value) == "('workload', 'unlabelled', 'flows'): found 11, labelled flows of coflow 2: 10"
    with pytest.raises(SpecError) as error:
        unlabel(draft, UnlabelledSpec(coflow=3, flows=1), 1, blame)
    assert str(error.value) == "('workload', 'unlabelled', 'coflow'): no coflow 3 in the workload, which has 2"
