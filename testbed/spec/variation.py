"""What tells the points of a sweep apart, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from testbed.spec.overrides import parse_path

STATED_ANYWAY = ("scheduler", "schedulers", "seed")
"""Varied fields that every run states by itself."""

Scalar = str | int | float | bool | None


def scalar(value: Any) -> Scalar:
    """A varied value as one cell of a table: itself, or a mapping or list as compact JSON."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def short_names(fields: Iterable[str]) -> dict[str, str]:
    """Field path -> its last word, 'load' of 'workload.load', or the whole path where two share that word."""
    last = {field: str(next(key for key in reversed(parse_path(field)) if isinstance(key, str))) for field in fields}
    shared = Counter(last.values())
    return {field: word if shared[word] == 1 else field for field, word in last.items()}


def point_title(values: Mapping[str, Any]) -> str:
    """'load=0.3, sync=10 ms' of one combination; '' for none. Schedulers and seeds are left out: runs state them."""
    told = {field: value for field, value in values.items() if field not in STATED_ANYWAY}
    names = short_names(told)
    return ", ".join(f"{names[field]}={_text(scalar(value))}" for field, value in told.items())


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
