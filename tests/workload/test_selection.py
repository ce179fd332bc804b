"""Which coflows of a trace are used: bounds first, then first and count; or ids."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.errors import SpecError
from testbed.spec.workload import TraceSpec
from testbed.workload.selection import select
from testbed.workload.trace import Trace, TraceCoflow

TRACE = Trace(
    10,
    tuple(
        TraceCoflow(10 + i, float(i), tuple(range(1 + i % 3)), tuple((port, float(i + 1)) for port in range(2)))
        for i in range(6)
    ),
)  # widths 2 4 6 2 4 6, megabytes 2 4 6 8 10 12


def blame(path: tuple[str | int, ...], message: str) -> SpecError:
    return SpecError(f"{'.'.join(map(str, path))}: {message}")


def chosen(**select_: Any) -> list[int]:
    workload = TraceSpec.model_validate({"kind": "trace", "file": "t.txt", "select": select_})
    return [coflow.id for coflow in select(TRACE, workload, blame)]


def test_everything_by_default() -> None:
    assert chosen() == [10, 11, 12, 13, 14, 15]


def test_bounds_apply_before_first_and_count() -> None:
    assert chosen(max_width=4) == [10, 11, 13, 14]
    assert chosen(max_bytes="8 MB") == [10, 11, 12, 13]
    assert chosen(max_width=4, first=1, count=2) == [11, 13]


def test_ids_in_the_order_given() -> None:
    assert chosen(ids=[14, 10]) == [14, 10]


@pytest.mark.parametrize(
    ("select_", "message"),
    [
        ({"ids": [10, 99]}, "workload.select.ids.1: no coflow 99 in t.txt, which has 6 coflows"),
        (
            {"max_width": 4, "first": 4},
            "workload.select: selects nothing: 4 of 6 coflows in t.txt are within the bounds, and first is 4",
        ),
        (
            {"max_bytes": "1 MB"},
            "workload.select: selects nothing: 0 of 6 coflows in t.txt are within the bounds, and first is 0",
        ),
    ],
)
def test_selecting_nothing_is_an_error(select_: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        chosen(**select_)
    assert str(error.value) == message


def test_a_trace_that_is_too_large_asks_for_bounds() -> None:
    wide = TraceCoflow(1, 0.0, (0,) * 5000, ((1, 1.0),) * 5000)
    workload = TraceSpec.model_validate({"kind": "trace", "file": "t.txt"})
    with pytest.raises(SpecError) as error:
        select(Trace(2, (wide,)), workload, blame)
    assert str(error.value) == (
        "workload.select: 25000000 flows; expected at most 20000000: bound them with max_width or count"
    )
