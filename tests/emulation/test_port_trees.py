from __future__ import annotations

import pytest
from emulated_plans import big_switch

from testbed.emulation.port_trees import HOST_QUEUE_BYTES, PortTree, port_tree
from testbed.scheduling.sharing import ONE_CLASS, Sharing

FROM_HOST, FROM_SWITCH = 0, 2
"""Links of a big switch of two ports."""

STRICT = Sharing(8)
WEIGHTED = Sharing(8, (10, 9, 8, 7, 6, 5, 4, 3))


def tree(sharing: Sharing, link: int = FROM_SWITCH, rate_bps: float = 20e6) -> PortTree:
    plan = big_switch(2, rate_bps=rate_bps, buffer_bytes=256_000)
    return port_tree("eth0", plan.fabric.links[link], plan.fabric.mtu, sharing)


def test_without_queues_a_port_has_one_class_at_the_links_rate() -> None:
    (only,) = tree(ONE_CLASS).classes
    assert (only.rate_bps, only.ceil_bps, only.buffer_bytes, only.priority) == (20e6, 20e6, 256_000, 0)


@pytest.mark.parametrize("rate_bps", [1e6, 20e6, 1e9, 40e9])
def test_strict_classes_are_promised_next_to_nothing_and_borrow_all_in_order(rate_bps: float) -> None:
    classes = tree(STRICT, rate_bps=rate_bps).classes
    assert [one.priority for one in classes] == list(range(8))
    assert {one.ceil_bps for one in classes} == {rate_bps}
    assert sum(one.rate_bps for one in classes) <= 0.1 * rate_bps


def test_weighted_classes_are_promised_their_share_and_borrow_by_it() -> None:
    classes = tree(WEIGHTED).classes
    assert {one.priority for one in classes} == {0}
    assert sum(one.rate_bps for one in classes) == pytest.approx(20e6)
    assert [one.rate_bps / classes[7].rate_bps * 3 for one in classes] == pytest.approx(list(WEIGHTED.weight))
    assert [one.turn_frames * 3 for one in classes] == pytest.approx(list(WEIGHTED.weight))
    assert min(one.turn_frames for one in classes) == 1


def test_every_class_has_a_queue_of_the_whole_buffer() -> None:
    assert {one.buffer_bytes for one in tree(STRICT).classes} == {256_000}
    assert {one.buffer_bytes for one in tree(STRICT, FROM_HOST).classes} == {HOST_QUEUE_BYTES}
