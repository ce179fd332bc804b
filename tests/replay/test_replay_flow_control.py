from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from testbed.replay.actor_link import ActorLink
from testbed.replay.flow_control import FlowControl


class Notepad:
    """Stands where the link to an actor is, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[Any], dict[str, Any]]] = []

    def tell_of(self, operation: str, flows: Iterable[Any], **more: Any) -> None:
        self.told.append((operation, list(flows), more))


def control_of(src: list[int], spread_ns: int = 0) -> tuple[FlowControl, list[Notepad]]:
    notepads = [Notepad() for _ in range(max(src) + 1)]
    return FlowControl(cast("list[ActorLink]", notepads), np.array(src), spread_ns), notepads


def test_a_flow_takes_the_cap_set_before_its_start_along() -> None:
    control, [first, second] = control_of([0, 0, 1])
    control.cap(np.array([0, 1]), np.array([5.0, 0.0]))
    control.start([0, 1, 2], [100, 200, 300])
    control.flush(50)
    assert first.told == [("start", [(0, 100, 5.0, 0), (1, 200, 0.0, 0)], {})]
    assert second.told == [("start", [(2, 300, None, 0)], {})]


def test_only_caps_that_changed_are_sent_and_once() -> None:
    control, [actor] = control_of([0, 0, 0])
    flows = np.arange(3)
    control.start([0, 1, 2], [1, 1, 1])
    control.flush()
    actor.told.clear()
    control.cap(flows, np.array([1000.0, np.inf, 0.0]))
    control.flush(7)
    control.cap(flows, np.array([1000.5, np.inf, 0.0]))
    control.flush(8)
    assert actor.told == [("cap", [(0, 1000.0), (2, 0.0)], {"at_ns": 7})]


def test_small_changes_that_add_up_are_sent() -> None:
    control, [actor] = control_of([0])
    control.start([0], [1])
    control.flush()
    for step in range(20):
        control.cap(np.array([0]), np.array([1000.0 + 0.4 * step]))
    control.flush()
    [_, (operation, caps, _)] = actor.told
    assert operation == "cap"
    assert len(caps) < 8
    assert abs(caps[-1][1] - 1007.6) < 1.1


def test_a_stop_and_a_release_are_always_changes() -> None:
    control, [actor] = control_of([0])
    control.start([0], [1])
    for cap in (np.inf, 0.0, 1e-9, 0.0, np.inf):
        control.cap(np.array([0]), np.array([cap]))
    control.flush()
    assert ("cap", [(0, 0.0), (0, 1e-9), (0, 0.0), (0, None)], {"at_ns": 0}) in actor.told


def test_which_flows_may_send() -> None:
    control, _ = control_of([0, 0])
    control.cap(np.array([1]), np.array([0.0]))
    assert control.released(np.array([0, 1])).tolist() == [True, False]


def test_a_flow_takes_the_mark_set_before_its_start_along() -> None:
    control, [actor] = control_of([0, 0])
    control.mark(np.array([0]), np.array([5]))
    control.start([0, 1], [100, 200])
    control.flush()
    assert actor.told == [("start", [(0, 100, None, 5), (1, 200, None, 0)], {})]


def test_only_marks_that_changed_are_sent_once_and_before_caps() -> None:
    control, [actor] = control_of([0, 0, 0])
    flows = np.arange(3)
    control.start([0, 1, 2], [1, 1, 1])
    control.flush()
    actor.told.clear()
    for at_ns in (7, 8):
        control.cap(flows, np.array([0.0, np.inf, np.inf]))
        control.mark(flows, np.array([0, 3, 7]))
        control.flush(at_ns)
    assert actor.told == [("mark", [(1, 3), (2, 7)], {"at_ns": 7}), ("cap", [(0, 0.0)], {"at_ns": 7})]


FAR_NS = 10**18  # after any instant of this machine's clock


def spread_control() -> tuple[FlowControl, list[Notepad]]:
    """Flows 0 to 3 run on hosts 0 to 3, flow 4 of host 0 is to start; changes are spread over 30 ns."""
    control, actors = control_of([0, 1, 2, 3, 0], spread_ns=30)
    control.start([0, 1, 2, 3], [1, 1, 1, 1])
    control.flush()
    for actor in actors:
        actor.told.clear()
    return control, actors


def test_hosts_that_start_nothing_change_theirs_after_those_that_do() -> None:
    control, actors = spread_control()
    control.cap(np.arange(5), np.full(5, 7.0))
    control.mark(np.array([1]), np.array([3]))
    control.start([4], [FAR_NS])
    control.flush(FAR_NS)
    assert actors[0].told == [("start", [(4, FAR_NS, 7.0, 0)], {}), ("cap", [(0, 7.0)], {"at_ns": FAR_NS})]
    assert actors[1].told == [
        ("mark", [(1, 3)], {"at_ns": FAR_NS + 10}),
        ("cap", [(1, 7.0)], {"at_ns": FAR_NS + 10}),
    ]
    assert actors[2].told == [("cap", [(2, 7.0)], {"at_ns": FAR_NS + 20})]
    assert actors[3].told == [("cap", [(3, 7.0)], {"at_ns": FAR_NS + 30})]


def test_where_nothing_starts_all_change_theirs_at_the_instant() -> None:
    control, actors = spread_control()
    control.cap(np.arange(4), np.full(4, 7.0))
    control.flush(FAR_NS)
    assert [actor.told[0][2] for actor in actors] == [{"at_ns": FAR_NS}] * 4


def test_a_later_change_never_comes_before_an_earlier_one_of_the_same_host() -> None:
    control, actors = spread_control()
    control.cap(np.arange(4), np.full(4, 7.0))
    control.start([4], [FAR_NS])
    control.flush(FAR_NS)
    control.cap(np.arange(4), np.full(4, 8.0))
    control.flush(FAR_NS + 15)
    instants_ns = [actor.told[-1][2]["at_ns"] - FAR_NS for actor in actors]
    assert instants_ns == [15, 15, 20, 30]


def test_changes_for_at_once_are_spread_from_now_on() -> None:
    control, [_, first, *_] = spread_control()
    before_ns = time.monotonic_ns()
    control.cap(np.arange(4), np.full(4, 7.0))
    control.start([4], [1])
    control.flush()
    assert before_ns < first.told[-1][2]["at_ns"] < time.monotonic_ns() + 30
