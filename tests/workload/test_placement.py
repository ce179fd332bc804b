"""Trace coflows onto hosts: folding, scaling, splitting, merging; bytes are conserved and changes are noted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import SpecError
from testbed.workload.draft import Draft
from testbed.workload.placement import Placement, place
from testbed.workload.trace import TraceCoflow

COFLOWS = (
    TraceCoflow(5, 2.0, (0, 1, 6), ((2, 3.0), (7, 6.0))),
    TraceCoflow(2, 3.0, (4,), ((4, 1.0),)),
)


def blame(path: tuple[str | int, ...], message: str) -> SpecError:
    return SpecError(f"{'.'.join(map(str, path))}: {message}")


def rows(draft: Draft) -> list[tuple[int, ...]]:
    columns = (draft.coflow, draft.src, draft.dst, draft.bytes)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_ports_that_are_hosts() -> None:
    made = place(COFLOWS, Placement(8, 8), blame)
    assert rows(made) == [
        (5, 0, 2, 1_000_000), (5, 1, 2, 1_000_000), (5, 6, 2, 1_000_000),
        (5, 0, 7, 2_000_000), (5, 1, 7, 2_000_000), (5, 6, 7, 2_000_000),
        (2, 4, 4, 1_000_000),
    ]  # fmt: skip
    assert made.coflows.arrival_s.tolist() == [0, 1]
    assert made.start_s.tolist() == [0] * 6 + [1]
    assert made.notes == ("arrivals begin at 0: the first selected coflow arrived after 2 s",)


def test_sizes_and_times_are_scaled_and_the_remainder_is_spread() -> None:
    made = place(COFLOWS[:1], Placement(8, 8, megabyte=2**20, size_scale=1e-5, time_scale=0.1), blame)
    assert made.bytes.tolist() == [11, 10, 10, 21, 21, 21]  # 31 and 63 bytes over three mappers


def test_folding_modulo_and_merging() -> None:
    made = place(COFLOWS, Placement(8, 4, merge=True), blame)
    assert rows(made) == [
        (2, 0, 0, 1_000_000),
        (5, 0, 2, 1_000_000), (5, 0, 3, 2_000_000),
        (5, 1, 2, 1_000_000), (5, 1, 3, 2_000_000),
        (5, 2, 2, 1_000_000), (5, 2, 3, 2_000_000),
    ]  # fmt: skip
    assert made.notes[1:] == ("8 ports share 4 hosts (modulo)",)
    two = place(COFLOWS, Placement(8, 2, merge=True), blame)
    assert rows(two) == [
        (2, 0, 0, 1_000_000),
        (5, 0, 0, 2_000_000), (5, 0, 1, 4_000_000), (5, 1, 0, 1_000_000), (5, 1, 1, 2_000_000),
    ]  # fmt: skip
    assert two.notes[1:] == ("8 ports share 2 hosts (modulo)", "7 flows merged into 5")


def test_folding_spread() -> None:
    made = place(COFLOWS, Placement(8, 4, folding="spread"), blame)
    assert made.src.tolist() == [0, 0, 3, 0, 0, 3, 2]
    assert made.dst.tolist() == [1, 1, 1, 3, 3, 3, 2]


def test_dropping_ports_beyond_the_hosts() -> None:
    made = place(COFLOWS, Placement(8, 4, folding="drop"), blame)
    assert rows(made) == [(5, 0, 2, 1_000_000), (5, 1, 2, 1_000_000)]
    assert made.coflows.coflow.tolist() == [5]
    assert made.notes[1:] == (
        "5 of 7 flows (8 MB of 10 MB) are at ports from 4 on; dropped",
        "1 of 2 coflows have no flow left; dropped",
    )


def test_dropping_flows_from_a_host_to_itself() -> None:
    made = place(COFLOWS, Placement(8, 8, drop_loopback=True), blame)
    assert len(made) == 6
    assert made.notes[1:] == (
        "1 of 7 flows (1 MB of 10 MB) are from a host to itself; dropped, "
        "because the experiment emulates or says 'loopback: drop'",
        "1 of 2 coflows have no flow left; dropped",
    )


def test_a_flow_has_at_least_one_byte() -> None:
    made = place(COFLOWS[:1], Placement(8, 8, size_scale=1e-9), blame)
    assert made.bytes.tolist() == [1] * 6
    assert made.notes[0] == (
        "2 reducers had less than a byte for each mapper after scaling; each flow has at least one byte"
    )


def test_nothing_left_and_too_much_are_errors() -> None:
    with pytest.raises(SpecError) as error:
        place(COFLOWS[1:], Placement(8, 8, drop_loopback=True), blame)
    assert str(error.value) == (
        "workload: no flow is left of 1 coflows; arrivals begin at 0: the first selected coflow arrived after 3 s; "
        "1 of 1 flows (1 MB of 1 MB) are from a host to itself; dropped, because the experiment emulates or says "
        "'loopback: drop'"
    )
    with pytest.raises(SpecError) as error:
        place((TraceCoflow(9, 0.0, (0,), ((1, 1e300),)),), Placement(2, 2), blame)
    assert str(error.value) == "workload: coflow 9: 1e+306 bytes at a reducer; at most 9007199254740992"


ports = st.integers(0, 11)
coflows = st.builds(
    TraceCoflow,
    st.just(0),
    st.floats(0, 1e4),
    st.lists(ports, min_size=1, max_size=6).map(tuple),
    st.lists(st.tuples(ports, st.floats(0.1, 1e6)), min_size=1, max_size=6).map(tuple),
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(coflows, min_size=1, max_size=5), st.integers(2, 14), st.sampled_from(["modulo", "spread"]))
def test_folding_and_merging_lose_no_byte(drawn: list[TraceCoflow], hosts: int, folding: str) -> None:
    numbered = tuple(TraceCoflow(i, c.arrival_s, c.mappers, c.reducers) for i, c in enumerate(drawn))
    plain = place(numbered, Placement(12, hosts, folding=folding), blame)  # type: ignore[arg-type]
    merged = place(numbered, Placement(12, hosts, folding=folding, merge=True), blame)  # type: ignore[arg-type]
    expected = [sum(round(mb * 1e6) for _, mb in c.reducers) for c in numbered]
    for made in (plain, merged):
        assert np.bincount(made.coflow, made.bytes, minlength=len(drawn)).astype(int).tolist() == expected
        assert max(made.src.max(), made.dst.max()) < hosts
    pairs = set(zip(merged.coflow.tolist(), merged.src.tolist(), merged.dst.tolist(), strict=True))
    assert len(pairs) == len(merged)
