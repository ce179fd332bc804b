"""The figures of a trace: a hand-computed one, and the golden figures of the public Facebook trace."""

from __future__ import annotations

import math

import pytest

from testbed.workload.trace import Trace, TraceCoflow
from testbed.workload.trace_convert import from_zero, scaled
from testbed.workload.trace_info import gammas_s, trace_info

MB = 10**6

# two senders of 2 MB each into port 2, one of them on port 2 itself; then 6 MB from port 0 to two reducers
SMALL = Trace(
    3,
    (
        TraceCoflow(1, 1.0, (0, 2), ((2, 4.0),)),
        TraceCoflow(2, 3.0, (0,), ((1, 1.0), (2, 5.0))),
    ),
)


def test_counts_bytes_and_loads_of_a_small_trace() -> None:
    info = trace_info(SMALL, MB, 2 * MB)
    assert (info.ports, info.coflows, info.flows, info.widest, info.single_flow) == (3, 2, 4, 2, 0)
    assert info.loopback_flows == 1
    assert (info.megabytes, info.smallest_megabytes, info.largest_megabytes, info.largest_share) == (10, 4, 6, 0.6)
    assert {name: bin_.coflows for name, bin_ in info.bins.items()} == {"SN": 1, "LN": 1, "SW": 0, "LW": 0}
    assert info.bins["LN"].byte_share == 0.6
    # 4 MB fit through a port while coflows arrive; port 0 sends 2 + 6, port 2 receives 4 + 5
    assert (info.in_load.largest, info.out_load.largest) == (2.0, 2.25)
    assert info.in_load.mean == pytest.approx(10 / 12)
    assert (info.first_arrival_s, info.last_arrival_s, info.gap_mean_s, info.gap_variation) == (1, 3, 2, 0)


def test_gamma_is_the_time_of_the_busiest_port() -> None:
    assert gammas_s(SMALL, MB, 2 * MB).tolist() == [2.0, 3.0]
    assert gammas_s(SMALL, 2**20, 2**20).tolist() == [4.0, 6.0]


def test_gamma_adds_what_two_mappers_on_one_port_send() -> None:
    trace = Trace(3, (TraceCoflow(1, 0.0, (0, 0), ((1, 4.0), (2, 2.0), (1, 1.0))),))
    assert gammas_s(trace, MB, MB).tolist() == [7.0]
    assert trace_info(trace, MB, MB).loopback_flows == 0


def test_one_arrival_has_no_gap_and_no_load() -> None:
    info = trace_info(Trace(3, SMALL.coflows[:1]), MB, MB)
    assert math.isnan(info.gap_mean_s)
    assert math.isnan(info.gap_variation)
    assert math.isnan(info.in_load.mean)


@pytest.mark.parametrize(("mapper", "base", "sure"), [(0, 0, True), (1, 0, False), (1, 1, True)])
def test_it_says_whether_the_counting_was_assumed(mapper: int, base: int, sure: bool) -> None:
    trace = Trace(3, (TraceCoflow(1, 0.0, (mapper,), ((2, 1.0),)),), base)
    assert trace_info(trace, MB, MB).base_is_sure is sure


def test_scaling_and_moving_a_trace() -> None:
    doubled = scaled(SMALL, size=2.0, time=0.5)
    assert [coflow.arrival_s for coflow in doubled.coflows] == [0.5, 1.5]
    assert [coflow.megabytes for coflow in doubled.coflows] == [8.0, 12.0]
    assert [coflow.arrival_s for coflow in from_zero(SMALL).coflows] == [0.0, 2.0]


@pytest.mark.trace
def test_the_golden_figures_of_the_facebook_trace(facebook: Trace) -> None:
    info = trace_info(facebook, MB, 128 * MB)
    assert (info.ports, info.base, info.base_is_sure) == (150, 0, True)
    assert (info.coflows, info.flows, info.widest, info.single_flow) == (526, 706_397, 21_170, 123)
    assert (info.megabytes, info.smallest_megabytes, info.largest_megabytes) == (35_533_534, 1, 8_501_205)
    assert info.loopback_flows == 4_911
    assert (info.first_arrival_s, info.last_arrival_s) == (0, 3629.235)
    shares = {name: round(100 * bin_.coflow_share, 1) for name, bin_ in info.bins.items()}
    assert shares == {"SN": 58.7, "LN": 17.1, "SW": 11.2, "LW": 12.9}
    assert round(100 * info.bins["LW"].byte_share, 2) == 99.07
    assert round(info.gamma_s.mean, 3) == 14.376
    assert round(info.gamma_s.median, 3) == 0.168
    assert round(info.gamma_s.largest, 1) == 1813.6
