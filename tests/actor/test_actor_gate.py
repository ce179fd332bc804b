from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.actor.gate import FIRST_WRITE, UNCAPPED_WRITE, Gate
from testbed.actor.grain import coarse_grain_ns

SEGMENT = 8948
SECOND = 10**9


def gate_at(rate: float | None, seed: int = 3) -> Gate:
    gate = Gate(seed)
    gate.use_segment(0, SEGMENT)
    gate.set_rate(0, rate)
    return gate


def write_all(gate: Gate, size: int, changes: dict[int, float] | None = None) -> list[tuple[int, int]]:
    """Drive the gate with a perfect clock and an ever willing socket: (instant in ns, bytes) of each write.

    `changes`: instant -> new rate.
    """
    now, sent, writes = 0, 0, []
    pending = sorted((changes or {}).items())
    while sent < size:
        allowed = gate.allowance(now, size - sent)
        if allowed:
            writes.append((now, allowed))
            sent += allowed
            gate.spend(allowed)
            continue
        due = gate.due_ns(now, size - sent)
        if pending and (due is None or pending[0][0] <= due):
            now, rate = pending.pop(0)
            gate.set_rate(now, rate)
        else:
            assert due is not None, "stopped for ever"
            now = max(now + 1, due)
    return writes


@pytest.mark.parametrize("size", [50_000, 80_000, 1_000_000])
def test_a_capped_flow_takes_size_over_rate(size: int) -> None:
    first, *_, last = write_all(gate_at(125_000.0), size)
    assert first == (0, FIRST_WRITE)
    assert last[0] / SECOND == pytest.approx(size / 125_000, rel=0.005)


def test_a_cap_of_nothing_lets_nothing_through_and_needs_no_wake_up() -> None:
    gate = gate_at(0.0)
    assert gate.allowance(SECOND, 1000) == 0
    assert gate.due_ns(SECOND, 1000) is None


def test_no_cap_lets_large_writes_through() -> None:
    gate = gate_at(None)
    assert gate.allowance(0, 10**9) == UNCAPPED_WRITE
    assert gate.allowance(0, 10) == 10
    assert gate.due_ns(0, 10) is None


def test_a_raise_takes_effect_at_once() -> None:
    writes = write_all(gate_at(8_000.0), 5_000_000, {SECOND: 5e6})
    before = sum(count for at, count in writes if at < SECOND)
    assert before <= 8_000 + FIRST_WRITE
    assert min(at for at, _ in writes if at > SECOND) <= SECOND + 5_000_000
    assert writes[-1][0] / SECOND == pytest.approx(1 + (5_000_000 - 8_000) / 5e6, rel=0.01)


def test_a_resumed_flow_shows_itself_at_once() -> None:
    writes = write_all(gate_at(1e6), 1_000_000, {SECOND // 2: 0.0, SECOND: 8_000.0, SECOND * 3 // 2: 1e6})
    assert not [at for at, _ in writes if SECOND // 2 < at < SECOND]
    assert (SECOND, FIRST_WRITE) in writes
    assert writes[-1][0] / SECOND == pytest.approx(1.5 + 0.496, rel=0.01)


def test_repeated_stops_and_resumes_gain_nothing() -> None:
    changes = {at: (0.0 if number % 2 else 10_000.0) for number, at in enumerate(range(10**6, 10**9, 10**6))}
    writes = write_all(gate_at(10_000.0), 5_200, {**changes, 10**9: 10_000.0})
    assert sum(count for at, count in writes if at < 10**9) <= 5_000 + FIRST_WRITE


def test_full_segments_where_the_cap_allows() -> None:
    counts = [count for _, count in write_all(gate_at(5e6), 10_000_000)]
    assert {count % SEGMENT for count in counts[2:-1]} == {0}
    counts = [count for _, count in write_all(gate_at(200_000.0), 1_000_000)]
    assert set(counts[2:-1]) == {SEGMENT}


def test_flows_of_one_rate_do_not_write_in_step() -> None:
    second = {write_all(gate_at(125_000.0, seed), 100_000)[1][0] for seed in range(20)}
    assert len(second) > 15


def test_after_a_pause_of_the_process_what_was_missed_is_made_good_within_bounds() -> None:
    gate = gate_at(1e6)
    gate.spend(gate.allowance(0, 10**9))
    allowed, total = gate.allowance(SECOND, 10**9), 0
    while allowed:
        gate.spend(allowed)
        total += allowed
        allowed = gate.allowance(SECOND, 10**9)
    assert 15_000 <= total <= 20_000


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    rate=st.floats(100.0, 1e9),
    seconds=st.floats(0.05, 3.0),
    seed=st.integers(0, 10**6),
)
def test_never_more_than_the_cap_and_the_end_in_time(rate: float, seconds: float, seed: int) -> None:
    size = min(max(1, int(rate * seconds)), 20_000_000)
    sent = 0
    for at, count in (writes := write_all(gate_at(rate, seed), size)):
        sent += count
        assert sent <= rate * at / SECOND + FIRST_WRITE + 1
    assert writes[-1][0] / SECOND <= size / rate * 1.001 + 0.002


def test_coarser_writes_are_fewer_and_end_at_the_same_instant() -> None:
    fine, coarse = gate_at(2.5e6), gate_at(0.0)
    coarse.write_every(20_000_000)
    coarse.set_rate(0, 2.5e6)
    many, few = write_all(fine, 2_500_000), write_all(coarse, 2_500_000)
    assert len(few) < len(many) / 3
    assert few[-1][0] == pytest.approx(many[-1][0], abs=1e6)
    assert all(
        sum(size for _, size in few[: n + 1]) <= 2.5e6 * at / SECOND + FIRST_WRITE for n, (at, _) in enumerate(few)
    )


def test_in_coarser_grains_slow_flows_write_whole_segments_and_end_as_exactly() -> None:
    rate, size = 40_000.0, 400_000  # a segment takes 0.22 s
    gate = Gate(3)
    gate.write_every(20_000_000)
    gate.use_segment(0, SEGMENT)
    gate.set_rate(0, rate)
    coarse, fine = write_all(gate, size), write_all(gate_at(rate), size)
    assert len(coarse) <= size / SEGMENT + 3
    assert len(fine) > 1.9 * len(coarse)
    assert coarse[-1][0] == pytest.approx(size / rate * SECOND, rel=0.005)


def test_grains_are_coarse_only_where_reports_are_seldom() -> None:
    assert [coarse_grain_ns(every_ms * 1_000_000) for every_ms in (5, 10, 12, 40, 1000)] == [
        0,
        0,
        6_000_000,
        20_000_000,
        20_000_000,
    ]
