from __future__ import annotations

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


def control_of(src: list[int]) -> tuple[FlowControl, list[Notepad]]:
    notepads = [Notepad() for _ in range(max(src) + 1)]
    return FlowControl(cast("list[ActorLink]", notepads), np.array(src)), notepads


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
