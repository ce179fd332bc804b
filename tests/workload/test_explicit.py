"""Coflows written out, as tables."""

from __future__ import annotations

import math
from typing import Any

from testbed.coflow import NONE
from testbed.spec.workload import ExplicitSpec
from testbed.workload.draft import Draft
from testbed.workload.explicit import explicit_draft


def draft(*coflows: dict[str, Any]) -> Draft:
    return explicit_draft(ExplicitSpec.model_validate({"kind": "explicit", "coflows": coflows})).in_order()


FLOW = {"from": 0, "to": 1, "size": "1 MB"}


def test_flows_a_shuffle_and_a_broadcast() -> None:
    made = draft(
        {"id": 3, "arrival": "1 s", "broadcast": {"from": 0, "to": [4, 5], "size": "8 B"}, "weight": 2},
        {"id": 1, "flows": [FLOW], "shuffle": {"mappers": [0, 1], "reducers": {2: "11 B"}}, "deadline": "3 s"},
    )
    rows = list(zip(made.coflow.tolist(), made.src.tolist(), made.dst.tolist(), made.bytes.tolist(), strict=True))
    assert rows == [(1, 0, 1, 1_000_000), (1, 0, 2, 6), (1, 1, 2, 5), (3, 0, 4, 8), (3, 0, 5, 8)]
    assert made.start_s.tolist() == [0, 0, 0, 1, 1]
    assert made.label.tolist() == made.coflow.tolist()
    assert made.coflows.coflow.tolist() == [1, 3]
    assert made.coflows.arrival_s.tolist() == [0, 1]
    assert made.coflows.weight.tolist() == [1, 2]
    assert made.coflows.deadline_s[0] == 3
    assert math.isnan(made.coflows.deadline_s[1])


def test_labels() -> None:
    made = draft(
        {"id": 1, "flows": [FLOW, {**FLOW, "label": None}, {**FLOW, "label": 2}, {**FLOW, "labelled": False}]},
        {"id": 2, "flows": [FLOW]},
    )
    assert made.coflow.tolist() == [1, 1, 1, 1, 2]
    assert made.label.tolist() == [1, NONE, 2, NONE, 2]


def test_flows_and_coflows_that_wait() -> None:
    made = draft(
        {"id": 1, "flows": [{**FLOW, "id": "b", "from": 5, "after": ["a"], "delay": "20 ms"}, {**FLOW, "id": "a"}]},
        {"id": 2, "after": [1], "delay": "1 s", "flows": [FLOW]},
    )
    assert made.src.tolist() == [0, 5, 0]
    assert made.start_s[0] == 0
    assert all(math.isnan(start) for start in made.start_s[1:])
    assert made.after == {1: (0,)}
    assert made.delay_s == {1: 0.02}
    assert made.coflows.after == {2: (1,)}
    assert made.coflows.delay_s == {2: 1.0}
    assert math.isnan(made.coflows.arrival_s[1])


def test_a_flow_may_start_later_than_its_coflow_and_state_its_core() -> None:
    made = draft({"id": 1, "arrival": "1 s", "flows": [{**FLOW, "arrival": "2 s", "via": 3}, FLOW]})
    assert made.start_s.tolist() == [1, 2]
    assert made.via.tolist() == [NONE, 3]
