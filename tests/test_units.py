"""Quantities with units, to numbers and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.units import (
    format_rate,
    format_size,
    format_time,
    parse_rate_bps,
    parse_share,
    parse_size,
    parse_time_s,
)


@pytest.mark.parametrize(
    ("text", "rate_bps"),
    [
        ("20 Mbit/s", 20e6), ("20Mbit/s", 20e6), (" 1.5 Gbit/s ", 1.5e9), ("1 Kibit/s", 1024), ("64 kbps", 64e3),
        ("128 MB/s", 1024e6), ("1 MiB/s", 8 * 2**20), ("1e3 bit/s", 1000), (".5 bit/s", 0.5), ("0 bit/s", 0),
    ],
)  # fmt: skip
def test_rates(text: str, rate_bps: float) -> None:
    assert parse_rate_bps(text) == rate_bps


@pytest.mark.parametrize(
    ("text", "size"),
    [("256 KB", 256_000), ("256 kB", 256_000), ("1 KiB", 1024), ("1.5 MB", 1_500_000), ("10 B", 10), ("2 GiB", 2**31),
     ("0.6 B", 1)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("10 ms", 0.01), ("2 s", 2), ("5 us", 5e-6), ("5 µs", 5e-6), ("3 ns", 3e-9), ("2 min", 120), ("1 h", 3600)],
)
def test_times(text: str, time_s: float) -> None:
    assert parse_time_s(text) == pytest.approx(time_s, rel=1e-15)


@pytest.mark.parametrize(("text", "share"), [("0.1%", 0.001), (0.3, 0.3), (0, 0), (1, 1), ("100 %", 1)])
def test_shares(text: object, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (20, "time needs a unit: found 20, expected the form '10 ms'"),
        (None, "time needs a unit: found None, expected the form '10 ms'"),
        ("-1 s", "time must not be negative: '-1 s'"),
        ("1e400 s", "time is too large: '1e400 s'"),
        ("10", "not a time: '10', expected the form '10 ms' (units: ns, us, µs, ms, s, min, h)"),
        ("1 1 s", "not a time: '1 1 s', expected the form '10 ms' (units: ns, us, µs, ms, s, min, h)"),
        ("nan s", "not a time: 'nan s', expected the form '10 ms' (units: ns, us, µs, ms, s, min, h)"),
        ("1 sec", "not a time: '1 sec', expected the form '10 ms' (units: ns, us, µs, ms, s, min, h)"),
    ],
)
def test_what_is_no_quantity_shows_the_right_form(found: object, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse_time_s(found)
    assert str(error.value) == message


@pytest.mark.parametrize("found", ["x%", 1.1, -0.1, math.nan, True, None, "0.5", "101%"])
def test_what_is_no_share(found: object) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        parse_share(found)
    assert str(error.value) == f"not a share: {found!r}, expected a number from 0 to 1 or the form '0.1%'"


def test_formatting() -> None:
    assert [format_size(size) for size in (0, 999, 999_999, 1_500_000, 35.5e12, 5e15)] == [
        "0 B", "999 B", "1 MB", "1.5 MB", "35.5 TB", "5000 TB",
    ]  # fmt: skip
    assert format_size(256_000) == "256 KB"
    assert [format_rate(rate) for rate in (20e6, 999.9, 1.0352e9)] == ["20 Mbit/s", "1 kbit/s", "1.04 Gbit/s"]
    assert [format_time(time) for time in (0, 0.0123, 0.99999, 4.56, 125, math.nan)] == [
        "0 s", "12.3 ms", "1 s", "4.56 s", "2 min 5 s", "-",
    ]  # fmt: skip


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.floats(1, 9e14), st.sampled_from([(format_rate, parse_rate_bps), (format_size, parse_size)]))
def test_what_is_formatted_reads_back_to_three_digits(value: float, pair: tuple[object, object]) -> None:
    form, parse = pair
    assert parse(form(value)) == pytest.approx(value, rel=0.006, abs=0.6)  # type: ignore[operator]
