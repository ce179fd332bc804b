"""Quantities with units: text to numbers and back.

Inside the testbed a time is in seconds, a size in bytes, a rate in bits per second (names end in `_bps`) or in
bytes per second (`_Bps`). Prefixes are decimal (k, M, G, T); binary ones are written KiB, MiB, GiB, TiB.
"""

from __future__ import annotations

import math
import re

_DECIMAL = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

_SIZES: dict[str, float] = {"B": 1.0}
_SIZES.update({f"{p}B": float(f) for p, f in {**_DECIMAL, **_BINARY}.items()})
_RATES: dict[str, float] = {f"{p}bit/s": float(f) for p, f in {**_DECIMAL, **_BINARY}.items()}
_RATES.update({f"{p}bps": float(f) for p, f in _DECIMAL.items()})
_RATES.update({f"{unit}/s": 8 * factor for unit, factor in _SIZES.items()})
_TIMES: dict[str, float] = {
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0,
}  # fmt: skip

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ/]*)\s*")


def _parse(text: object, kind: str, units: dict[str, float], example: str) -> float:
    if not isinstance(text, str):
        raise ValueError(f"{kind} needs a unit: found {text!r}, expected the form '{example}'")
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        known = ", ".join(sorted(units, key=lambda unit: (units[unit], unit)))
        raise ValueError(f"not a {kind}: {text!r}, expected the form '{example}' (units: {known})")
    value = float(match[1]) * units[match[2]]
    if not math.isfinite(value):
        raise ValueError(f"{kind} is too large: {text!r}")
    if value < 0:
        raise ValueError(f"{kind} must not be negative: {text!r}")
    return value


def parse_rate_bps(text: object) -> float:
    """Bits per second of '20 Mbit/s' or '128 MB/s'; ValueError says the right form."""
    return _parse(text, "rate", _RATES, "20 Mbit/s")


def parse_size(text: object) -> int:
    """Bytes of '256 KB' or '1.5 MiB', rounded to whole bytes; ValueError says the right form."""
    return round(_parse(text, "size", _SIZES, "256 KB"))


def parse_time_s(text: object) -> float:
    """Seconds of '10 ms' or '2 s'; ValueError says the right form."""
    return _parse(text, "time", _TIMES, "10 ms")


def parse_share(text: object) -> float:
    """A number from 0 to 1, of 0.3 or '0.1%'; ValueError says the right form."""
    value: object = text
    if isinstance(text, str) and text.strip().endswith("%"):
        try:
            value = float(text.strip()[:-1]) / 100
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"not a share: {text!r}, expected a number from 0 to 1 or the form '0.1%'")
    return float(value)


def _format(value: float, unit: str) -> str:
    for prefix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * factor:  # 999,999 B is written 1 MB, not 1e+03 KB
            return f"{_three_digits(value / factor)} {prefix}{unit}"
    return f"{_three_digits(value)} {unit}"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def format_size(size: float) -> str:
    """'1.5 MB' of 1_500_000 bytes."""
    return _format(size, "B").replace("kB", "KB")


def format_rate(rate_bps: float) -> str:
    """'20 Mbit/s' of 20_000_000 bits per second."""
    return _format(rate_bps, "bit/s")


def format_time(time_s: float) -> str:
    """'12.3 ms', '4.56 s' or '2 min 5 s' of a time in seconds."""
    if not math.isfinite(time_s):
        return "-"
    if abs(time_s) >= 100:
        minutes, seconds = divmod(round(time_s), 60)
        return f"{minutes} min {seconds} s"
    if abs(time_s) >= 0.9995 or time_s == 0:
        return f"{time_s:.3g} s"
    return f"{time_s * 1e3:.3g} ms"
