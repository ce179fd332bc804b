"""Meters, marks and changes of them, as data."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_plans import fat_tree

from testbed.errors import EmulationError
from testbed.fabric import goodput_share
from testbed.rules.edge import Change, EdgeState, change_of, difference
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter, meter_for, stopping_meter
from testbed.rules.routes import make_rules
from testbed.rules.walk import node_paths

FLOW = FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000)
OTHER = FLOW._replace(source_port=40_001)

flows = st.builds(FlowKey, st.just("10.0.0.1"), st.integers(1, 9), st.just("10.0.1.1"), st.just(5000))
meters = st.builds(Meter, st.integers(1000, 9000).map(float), st.integers(1, 9000).map(float))
numbers = st.integers(1, 5)


@st.composite
def states(draw: st.DrawFn) -> EdgeState:
    known = draw(st.dictionaries(numbers, meters))
    through = st.sampled_from([None, *known])
    return EdgeState(known, draw(st.dictionaries(flows, through)), draw(st.dictionaries(flows, st.integers(0, 63))))


@given(states(), states())
def test_the_difference_makes_one_of_the_other_and_then_there_is_none(told: EdgeState, wanted: EdgeState) -> None:
    change = difference(told, wanted)
    state = told.copy()
    state.apply(change)
    assert state == wanted
    assert len(difference(state, wanted)) == 0


@given(states(), states())
def test_a_change_goes_through_json(told: EdgeState, wanted: EdgeState) -> None:
    change = difference(told, wanted)
    assert change_of(change.document()) == change


def test_only_what_changed_is_in_the_difference() -> None:
    told = EdgeState({1: Meter(1e6, 3e4), 2: Meter(1e6, 3e4)}, {FLOW: 1, OTHER: 2}, {FLOW: 3})
    wanted = EdgeState({1: Meter(2e6, 3e4)}, {FLOW: 1}, {FLOW: 3})
    assert difference(told, wanted) == Change(
        set_meters={1: Meter(2e6, 3e4)}, remove_meters=(2,), remove_metered=(OTHER,)
    )


def test_a_meter_cannot_go_while_a_flow_passes_it() -> None:
    state = EdgeState({1: Meter(1e6, 3e4)}, {FLOW: 1}, {})
    before = state.copy()
    message = "flow 10.0.0.1:40000 -> 10.0.1.1:5000: it shall pass meter 1, which this switch does not have"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        state.apply(Change(remove_meters=(1,), set_marks={FLOW: 1}))
    assert state == before


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "change []; expected an object with any of set_meters, remove_meters, set_metered, remove_metered, "),
        ({"remove_meters": 3}, "remove_meters is 3; expected a list"),
        ({"remove_meters": [0]}, "meter number 0; expected 1 to 65535"),
        ({"set_metered": [{"flow": list(FLOW)}]}, "{'flow': ['10.0.0.1', 40000, '10.0.1.1', 5000]}; expected an "),
        ({"remove_marks": [["10.0.0", 1, "10.0.1.1", 2]]}, "flow ['10.0.0', 1, '10.0.1.1', 2]: Expected 4 octets"),
        ({"remove_marks": ["x"]}, "flow 'x': not enough values to unpack"),
        ({"set_meters": [{"meter": 1}]}, "meter {'meter': 1}: KeyError: 'rate_bps'; expected meter (1 to 65535)"),
    ],
)
def test_what_is_no_change(document: object, message: str) -> None:
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
        change_of(document)


@pytest.mark.parametrize("mtu", [1500, 9000])
def test_a_meter_counts_headers(mtu: int) -> None:
    """A goodput that fills a link of 10 Mbit/s, acknowledgements aside, is a meter of just under that."""
    meter = meter_for(10e6 / 8 * goodput_share(mtu), mtu)
    assert meter.rate_bps == pytest.approx(10e6 * (mtu + 14) / (mtu + 14 + 33))
    assert meter.burst_bytes == pytest.approx(max(meter.rate_bps / 8 * 0.05, 3 * (mtu + 14)))


def test_small_meters_hold_three_frames_and_have_a_least_rate() -> None:
    assert meter_for(1e3, 9000).burst_bytes == 3 * 9014
    assert meter_for(1.0, 9000).rate_bps == 1000.0
    assert (meter_for(1.0, 1500).rate_kbps, meter_for(1.0, 1500).burst_kbit) == (1, 37)


def test_a_stopped_flow_has_four_frames_a_second() -> None:
    assert stopping_meter(2, 9000) == Meter(rate_bps=2 * 4 * 8 * 9014, burst_bytes=2 * 9014)


def test_paths_by_the_rules_alone() -> None:
    switches = make_rules(fat_tree(4, ecmp="hash")).switches
    assert node_paths(switches, "h0", "10.2.7.2") == [["h0", "e0", "a1", "c2", "a7", "e7", "h15"]]
    spread = node_paths(switches, "h0", "10.255.7.2")
    assert [path[3] for path in spread] == ["c0", "c1", "c2", "c3"]
    assert {path[-1] for path in spread} == {"h15"}
    assert node_paths(switches, "h0", "10.0.0.9") == [["h0", "e0"]]
    with pytest.raises(EmulationError, match=r"^unknown host 'h99'; did you mean 'h9'\? known: h0, h1, "):
        node_paths(switches, "h99", "10.0.0.9")
    with pytest.raises(EmulationError, match=r"^destination '10\.0'; expected an IPv4 address, such as 10\.0\.1\.2$"):
        node_paths(switches, "h0", "10.0")
