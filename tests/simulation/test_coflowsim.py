"""CoflowSim's semantics: hand-computed cases, properties, and its own sums of CCT on the public trace."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import SchedulerError, SimulationError
from testbed.simulation.coflowsim import SCHEDULERS, run
from testbed.simulation.coflowsim_model import MIB, JavaRandom, build
from testbed.workload.trace import Trace, TraceCoflow, read_trace

FACEBOOK = Path(os.environ.get("COFLOW_TRACE", Path(__file__).parents[2] / "../shared/traces/FB2010-1Hr-150-0.txt"))


def coflow(number: int, arrival_ms: float, mappers: tuple[int, ...], *reducers: tuple[int, float]) -> TraceCoflow:
    return TraceCoflow(number, arrival_ms / 1000, mappers, reducers)


def ccts(scheduler: str, *coflows: TraceCoflow, ports: int = 4) -> list[float]:
    return list(run(Trace(ports, coflows), scheduler).cct_ms.tolist())


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_port_moves_one_mib_per_quantum_of_8_ms(scheduler: str) -> None:
    assert ccts(scheduler, coflow(1, 0, (0,), (1, 1.0))) == [8]
    assert ccts(scheduler, coflow(1, 0, (0,), (1, 10.0))) == [80]


def test_a_reducer_is_rounded_up_to_whole_mib_per_mapper() -> None:
    model = build(Trace(4, (coflow(1, 0, (0, 1, 2), (3, 0.2), (1, 3.5)),)))
    assert (model.reducer_port.tolist(), model.reducer_bytes.tolist()) == ([1, 3], [6 * MIB, 3 * MIB])
    assert model.reducer_bytes_first.tolist() == [4 * MIB, 1 * MIB]
    assert model.flow_bytes.tolist() == [2 * MIB] * 3 + [MIB] * 3
    assert model.flow_source.tolist() == [0, 1, 2, 0, 1, 2]
    assert model.alpha.tolist() == [6 * MIB]


def test_mappers_are_a_set_and_reducers_on_one_port_are_one() -> None:
    model = build(Trace(4, (coflow(1, 0, (2, 0, 2), (3, 1.0), (3, 2.5)),)))
    assert model.mappers.tolist() == [2]
    assert model.flow_source.tolist() == [0, 2]
    assert model.reducer_bytes.tolist() == [4 * MIB]


def test_a_coflow_starts_with_the_epoch_in_which_it_arrives_before_it_does() -> None:
    result = run(Trace(4, (coflow(1, 0, (0,), (1, 1.0)), coflow(2, 10_240, (0,), (1, 1.0)))), "FIFO")
    assert result.start_ms.tolist() == [0, 0]
    assert result.finish_ms.tolist() == [8, 16]
    assert run(Trace(4, (coflow(1, 10_241, (0,), (1, 1.0)),)), "FIFO").start_ms.tolist() == [10_240]


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("FAIR", [40, 16]),
        ("PFP", [40, 8]),
        ("FIFO", [32, 40]),
        ("SCF", [40, 8]),
        ("NCF", [32, 40]),
        ("LCF", [40, 8]),
        ("SEBF", [40, 8]),
        ("DARK", [32, 40]),
    ],
)
def test_a_large_coflow_before_a_small_one_on_the_same_ports(scheduler: str, expected: list[float]) -> None:
    assert ccts(scheduler, coflow(1, 0, (0,), (1, 4.0)), coflow(2, 0, (0,), (1, 1.0))) == expected


def test_fair_redistributes_nothing() -> None:
    """Port 0 sends three flows, each at a third; the other flow into port 1 still gets half, not two thirds."""
    wide = coflow(1, 0, (0,), (1, 2.0), (2, 2.0), (3, 2.0))
    assert ccts("FAIR", wide, coflow(2, 0, (2,), (1, 4.0))) == [48, 56]


def test_rates_stand_still_when_a_flow_ends() -> None:
    """Under DARK the flow to port 1 ends after 8 quanta at half rate; the other stays at half rate to its end."""
    assert ccts("DARK", coflow(1, 0, (0,), (1, 4.0), (2, 8.0))) == [128]
    assert ccts("FAIR", coflow(1, 0, (0,), (1, 4.0), (2, 8.0))) == [96]
    assert ccts("SEBF", coflow(1, 0, (0,), (1, 4.0), (2, 8.0))) == [96]


def test_madd_leaves_what_it_does_not_need_to_the_next() -> None:
    """SEBF serves 1 (alpha 2 MiB, half of port 0's rate to port 1); 2 fills the rest of port 1, then all of it."""
    first = coflow(1, 0, (0,), (1, 1.0), (2, 1.0))
    assert ccts("SEBF", first, coflow(2, 0, (3,), (1, 3.0))) == [16, 32]


def test_a_skipped_coflow_still_gets_what_is_free_on_its_other_ports() -> None:
    """While 1 has port 0, the flow of 2 from port 3 has port 2 for itself: no quantum of port 2 is lost."""
    first = coflow(1, 0, (0,), (1, 2.0))
    assert ccts("SEBF", first, coflow(2, 0, (0, 3), (2, 8.0))) == [16, 64]


def test_dark_moves_a_coflow_down_as_many_queues_as_it_has_passed_limits() -> None:
    """1,280 MiB have passed three limits by the second epoch; the newcomer is in the first queue, so ahead."""
    large, small = coflow(1, 0, (0,), (1, 2000.0)), coflow(2, 10_241, (0,), (1, 1.0))
    assert ccts("DARK", large, small) == [16_008, 8]
    assert ccts("FIFO", large, small) == [16_000, 16_008 - 10_240]


def test_dark_serves_a_queue_in_order_of_arrival_in_it() -> None:
    first, second = coflow(1, 0, (0,), (1, 1400.0)), coflow(2, 0, (2,), (3, 1400.0))
    third = coflow(3, 10_241, (0,), (3, 1.0))
    assert ccts("DARK", first, second, third) == [11_208, 11_208, 8]


def test_java_random_gives_javas_numbers() -> None:
    """The first values of new Random(42).nextDouble() that Java prints."""
    assert JavaRandom(42).doubles(2) == [0.7275636800328681, 0.6832234717598454]


def test_deadlines_are_drawn_in_order_of_arrival() -> None:
    model = build(Trace(4, (coflow(1, 5, (0,), (1, 1.0)), coflow(2, 0, (0,), (1, 2.0)))))
    first, second = JavaRandom(17).doubles(2)
    assert model.alpha.tolist() == [2 * MIB, MIB]
    assert model.deadline_ms.tolist() == pytest.approx([(1 + first) * 2000 / 128, (1 + second) * 1000 / 128])


def test_an_unknown_scheduler_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SchedulerError) as caught:
        run(Trace(4, (coflow(1, 0, (0,), (1, 1.0)),)), "pdq")
    assert str(caught.value) == (
        "coflowsim mode: unknown scheduler 'PDQ'; known: DARK, FAIR, FIFO, LCF, NCF, PFP, SCF, SEBF"
    )


def test_a_coflow_that_coflowsim_would_cut_off_is_an_error() -> None:
    with pytest.raises(SimulationError) as caught:
        run(Trace(4, (coflow(7, 0, (0,), (1, 1.0)), coflow(8, 88_473_601, (0,), (1, 1.0)))), "FIFO")
    assert str(caught.value) == (
        "coflowsim mode: 1 of 2 coflows, the first of them coflow 8, have not finished after 88473600 ms, "
        "where CoflowSim stops; select fewer coflows or scale their sizes down"
    )
    with pytest.raises(SimulationError) as caught:
        run(Trace(4, (coflow(7, 0, (0,), (1, 1e300)),)), "FIFO")
    assert str(caught.value) == (
        "coflowsim mode: coflow 7: a reducer of 1e+300 MB cannot finish in the 88473600 ms that CoflowSim runs; "
        "scale the sizes down"
    )


coflows = st.builds(
    TraceCoflow,
    id=st.just(0),
    arrival_s=st.integers(0, 40_000).map(lambda ms: ms / 1000),
    mappers=st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True).map(tuple),
    reducers=st.lists(
        st.tuples(st.integers(0, 5), st.floats(0.1, 200)), min_size=1, max_size=4, unique_by=lambda reducer: reducer[0]
    ).map(tuple),
)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(drawn=st.lists(coflows, min_size=1, max_size=8), scheduler=st.sampled_from(SCHEDULERS))
def test_no_coflow_is_faster_than_alone_and_all_bytes_fit_the_ports(drawn: list[TraceCoflow], scheduler: str) -> None:
    trace = Trace(6, tuple(TraceCoflow(i, c.arrival_s, c.mappers, c.reducers) for i, c in enumerate(drawn)))
    result, model = run(trace, scheduler), build(trace)
    assert np.all(result.start_ms <= model.arrival_ms)
    assert np.all(result.start_ms % 10_240 == 0)
    assert np.all(result.finish_ms % 8 == 0)
    assert np.all(result.cct_ms >= model.alpha / MIB * 8 - 8)  # rounding may end a reducer one quantum early
    rows = [(c, p) for p in range(6) for c in range(len(drawn)) if p in {to for to, _ in _in_order(trace)[c].reducers}]
    for port in range(6):
        received = sum(_port_bytes(trace, c, port) for c, p in rows if p == port)
        assert received / MIB * 8 <= result.finish_ms.max() + 8


def _in_order(trace: Trace) -> list[TraceCoflow]:
    return sorted(trace.coflows, key=lambda each: each.arrival_s)


def _port_bytes(trace: Trace, row: int, port: int) -> float:
    model = build(trace)
    mine = (model.reducer_coflow == row) & (model.reducer_port == port)
    return float(model.reducer_bytes[mine].sum())


@pytest.mark.trace
@pytest.mark.skipif(not FACEBOOK.exists(), reason=f"the public Facebook trace is not at {FACEBOOK} (set COFLOW_TRACE)")
@pytest.mark.parametrize(("scheduler", "sum_ms"), [("FAIR", 37_131_824), ("SEBF", 15_005_968), ("DARK", 24_247_392)])
def test_the_sums_on_the_whole_trace_are_coflowsims_own(scheduler: str, sum_ms: int) -> None:
    assert run(read_trace(FACEBOOK), scheduler).figures()["sum_ms"] == sum_ms
