"""The synthetic generator: its fit to the public trace, what its parameters bound, and its errors."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import SpecError
from testbed.workload.synthetic import SyntheticParameters, generate
from testbed.workload.synthetic_fit import FITS
from testbed.workload.trace import Trace
from testbed.workload.trace_info import TraceInfo, gammas_s, trace_info

MB = 10**6
RATE_BPS = 128 * MB


def info(trace: Trace) -> TraceInfo:
    return trace_info(trace, MB, RATE_BPS)


def made(ports: int = 150, seed: int = 7, **parameters: Any) -> Trace:
    return generate(SyntheticParameters(**parameters), ports, seed, RATE_BPS)


def test_as_many_coflows_as_the_trace_fall_into_the_bins_as_there() -> None:
    bins = info(made(coflows=526)).bins
    assert {name: bin_.coflows for name, bin_ in bins.items()} == {"SN": 309, "LN": 90, "SW": 59, "LW": 68}
    assert bins["LW"].byte_share > 0.97


def test_the_fit_to_the_trace_over_many_seeds() -> None:
    """Each against the trace's own figure; means of heavy tails differ widely from one seed to the next."""
    drawn = [info(made(coflows=526, seed=seed)) for seed in range(12)]

    def mean(figure: str) -> float:
        return statistics.fmean(getattr(each, figure) for each in drawn)

    assert mean("flows") == pytest.approx(706_397, rel=0.15)
    assert mean("megabytes") == pytest.approx(35_533_534, rel=0.35)
    assert mean("single_flow") == pytest.approx(123, rel=0.2)
    assert statistics.fmean(each.gamma_s.mean for each in drawn) == pytest.approx(14.376, rel=0.35)
    assert statistics.fmean(each.gamma_s.median for each in drawn) == pytest.approx(0.168, rel=0.35)


def test_the_load_is_met_exactly_and_the_first_coflow_arrives_at_0() -> None:
    figures = info(made(load=0.45))
    assert figures.first_arrival_s == 0
    assert figures.in_load.mean == pytest.approx(0.45, rel=1e-6)
    assert figures.out_load.mean == pytest.approx(0.45, rel=1e-6)


def test_bursty_gaps_vary_as_in_the_trace_and_poisson_gaps_as_poisson() -> None:
    assert info(made(coflows=4000, arrivals="bursty", long_wide=0, short_narrow=0.716)).gap_variation == pytest.approx(
        1.41, abs=0.15
    )
    assert info(made(coflows=4000, long_wide=0, short_narrow=0.716)).gap_variation == pytest.approx(1.0, abs=0.08)


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    assert made(seed=3) == made(seed=3)
    assert made(seed=3) != made(seed=4)


def test_the_parameters_own_seed_comes_before_the_experiments() -> None:
    own = SyntheticParameters(seed=3)
    assert generate(own, 16, 99, RATE_BPS) == generate(SyntheticParameters(), 16, 3, RATE_BPS)


def test_a_mix_for_sixteen_slow_hosts_has_coflows_worth_timing() -> None:
    """Median lone Gamma of at least 200 ms and no coflow with most of the bytes, at 20 Mbit/s a port."""
    parameters = SyntheticParameters(coflows=40, load=0.6, max_width=60, min_bytes=500_000, max_bytes=20 * MB)
    trace = generate(parameters, 16, 7, 2.5e6)
    assert np.median(gammas_s(trace, MB, 2.5e6)) >= 0.2
    assert info(trace).largest_share < 0.2
    assert max(coflow.width for coflow in trace.coflows) <= 60


@pytest.mark.parametrize("ports", [2, 7, 8, 16, 150])
def test_coflows_stay_in_their_bins_however_few_ports_there_are(ports: int) -> None:
    bins = info(made(ports, coflows=200)).bins
    assert bins["SN"].coflows + bins["SW"].coflows == 140
    if ports**2 > 50:
        assert {name: bin_.coflows for name, bin_ in bins.items()} == {"SN": 118, "LN": 34, "SW": 22, "LW": 26}


def test_sizes_are_bounded_and_scaled() -> None:
    bounded = made(coflows=300, size_scale=0.01, min_bytes=200_000, max_bytes=5 * MB)
    sizes = [coflow.megabytes for coflow in bounded.coflows]
    assert min(sizes) == pytest.approx(0.2, abs=1e-4)
    assert max(sizes) == pytest.approx(5, abs=1e-4)
    assert sum(made(size_scale=0.001).coflows[i].megabytes for i in range(100)) == pytest.approx(
        sum(coflow.megabytes for coflow in made().coflows) / 1000, rel=1e-3
    )


def test_mappers_and_reducers_are_on_different_ports_where_there_are_enough() -> None:
    trace = made(16, coflows=300)
    for coflow in trace.coflows:
        common = set(coflow.mappers) & {port for port, _ in coflow.reducers}
        assert len(common) == max(0, len(coflow.mappers) + len(coflow.reducers) - 16)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coflows": 0}, "coflows is 0, expected 1 to 100000"),
        ({"load": 0.0}, "load is 0.0, expected more than 0 (0.6 is 60 % of the ports' capacity)"),
        ({"load": math.nan}, "load is nan, expected more than 0 (0.6 is 60 % of the ports' capacity)"),
        ({"seed": -1}, "seed is -1, expected 0 or more"),
        ({"arrivals": "burst"}, "arrivals is 'burst', expected poisson or bursty"),
        ({"max_width": 0}, "max_width is 0, expected at least 1 flow"),
        ({"size_scale": 0}, "size_scale is 0, expected more than 0"),
        ({"min_bytes": 0}, "min_bytes is 0, expected at least 1 byte"),
        ({"min_bytes": 9, "max_bytes": 8}, "max_bytes is 8, expected at least min_bytes"),
        ({"short_wide": 1.5}, "short_wide is 1.5, expected a share from 0 to 1"),
        ({"short_wide": 0.5}, "short_narrow + long_narrow + short_wide + long_wide is 1.387, expected 1"),
    ],
)
def test_parameters_that_make_no_workload_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        SyntheticParameters(**parameters)
    assert str(caught.value) == f"synthetic workload: {message}"


def test_a_fabric_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        generate(SyntheticParameters(), 1, 7, RATE_BPS)
    assert str(caught.value) == "synthetic workload: 1 ports, expected at least 2: a flow needs two ends"
    with pytest.raises(SpecError) as caught:
        generate(SyntheticParameters(), 16, 7, 0.0)
    assert str(caught.value) == "synthetic workload: port rate is 0.0 bytes/s, expected more than 0"


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    ports=st.integers(2, 40),
    seed=st.integers(0, 2**32),
    coflows=st.integers(1, 30),
    max_width=st.one_of(st.none(), st.integers(1, 200)),
    max_bytes=st.one_of(st.none(), st.integers(1000, 10**9)),
)
def test_any_parameters_give_a_trace_within_their_bounds(
    ports: int, seed: int, coflows: int, max_width: int | None, max_bytes: int | None
) -> None:
    trace = generate(
        SyntheticParameters(coflows=coflows, max_width=max_width, max_bytes=max_bytes), ports, seed, RATE_BPS
    )
    assert [coflow.id for coflow in trace.coflows] == list(range(1, coflows + 1))
    arrivals = [coflow.arrival_s for coflow in trace.coflows]
    assert arrivals == sorted(arrivals)
    for coflow in trace.coflows:
        ends = (*coflow.mappers, *(port for port, _ in coflow.reducers))
        assert all(0 <= port < ports for port in ends)
        assert len(set(coflow.mappers)) == len(coflow.mappers)
        assert max_width is None or coflow.width <= max_width
        rounding = len(coflow.reducers) / MB
        assert max_bytes is None or coflow.megabytes <= max_bytes / MB + rounding


def test_the_fitted_tables_are_quantile_functions() -> None:
    for fit in FITS.values():
        for table in (fit.mappers, fit.reducers, fit.flow_megabytes, fit.skew):
            assert list(table) == sorted(table)
