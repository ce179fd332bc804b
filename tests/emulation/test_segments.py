"""How many frames a host may send as one segment: about a millisecond of the slowest link."""

from __future__ import annotations

import pytest
from emulated_plans import big_switch, fat_tree, with_link

from testbed.segments import frames_together, segment_words


@pytest.mark.parametrize(
    ("rate_bps", "mtu", "frames"),
    [
        (20e6, 9000, 1),  # a frame takes 3.6 ms
        (100e6, 9000, 1),
        (145e6, 9000, 2),
        (200e6, 9000, 2),
        (1e9, 9000, 7),  # 64 KB are the most that an IPv4 packet can be
        (20e6, 1500, 1),
        (50e6, 1500, 4),
        (1e9, 1500, 43),
    ],
)
def test_a_segment_takes_a_millisecond_at_most(rate_bps: float, mtu: int, frames: int) -> None:
    assert frames_together(big_switch(2, rate_bps=rate_bps, mtu=mtu).fabric) == frames


def test_many_hosts_get_two_frames_at_least() -> None:
    assert frames_together(fat_tree(4, rate_bps=20e6).fabric) == 1
    assert frames_together(fat_tree(8, rate_bps=20e6).fabric) == 2


def test_the_slowest_link_decides() -> None:
    plan = big_switch(2, rate_bps=1e9, mtu=1500)
    assert frames_together(with_link(plan, 3, rate_bps=50e6).fabric) == 4


def test_bounds_as_ip_takes_them() -> None:
    assert segment_words(2, 9000) == "gso_max_size 18408 gso_max_segs 2"
    assert segment_words(43, 1500) == "gso_max_size 62776 gso_max_segs 43"
