"""Inputs that are nearly right: values of a good document put elsewhere, of another type, out of bounds, cut short."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 255, 65_535, 65_536, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**25,
    10**400, 0.5, -0.5, 1e-320, 1e15, 1e300, -1e300, math.inf, -math.inf, math.nan, "", " ", "0", "-1", "1e400", "nan",
    "inf", "1e400 MB", "NaN s", "-3 MB", "10 Mbit/s", "20 ms", "99999999999 TB", "5%", "auto", "fair",
    "../../etc/passwd", "/dev/zero", "a" * 300, "a" * 70_000, "x\0y", "\x1b[2J", "\ud800",
    "\N{BOM}", "\N{SNOWMAN}\N{PILE OF POO}",
    "\u0660\u0661", "$(reboot)",
    "`id`", "; ls #", "a\nb", [], {}, [[]], [{}], {"": ""}, {"a": {"a": {}}},
)  # fmt: skip
"""What a field holds that should hold something else."""


def deep(levels: int, value: Any = 0) -> Any:
    """Lists inside one another."""
    for _ in range(levels):
        value = [value]
    return value


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        container = pending.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in list(keys):
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                pending.append(container[key])
    return found


def copied(document: Any) -> Any:
    """A copy that can be changed: tuples become lists, as JSON has them."""
    if isinstance(document, dict):
        return {key: copied(value) for key, value in document.items()}
    return [copied(value) for value in document] if isinstance(document, (list, tuple)) else document


def mangled(document: Any, random: Random, odd: tuple[Any, ...] = ODD, most: int = 3) -> Any:
    """The document with up to so many mistakes in it; sometimes with none."""
    root = [copied(document)]
    for _ in range(random.choice((0, random.randint(1, most)))):
        if not root:
            break
        container, key = random.choice(places(root))
        random.choice(_MISTAKES)(root, container, key, random, odd)
    return root[0] if root else None


def _replace(_root: Any, container: Any, key: Any, random: Random, odd: tuple[Any, ...]) -> None:
    container[key] = copied(random.choice(odd))


def _remove(_root: Any, container: Any, key: Any, _random: Random, _odd: tuple[Any, ...]) -> None:
    del container[key]


def _nest(_root: Any, container: Any, key: Any, random: Random, _odd: tuple[Any, ...]) -> None:
    container[key] = deep(random.choice((1, 2, 45, 100)), container[key])


def _transplant(root: Any, container: Any, key: Any, random: Random, _odd: tuple[Any, ...]) -> None:
    other, its_key = random.choice(places(root))
    container[key] = copied(other[its_key])


def _repeat(_root: Any, container: Any, key: Any, random: Random, _odd: tuple[Any, ...]) -> None:
    if isinstance(container, list):
        container.extend([copied(container[key])] * random.choice((1, 2, 50)))
    else:
        container[f"{key}{random.choice(('', 's', '_', ' '))}"] = copied(container[key])


def _rename(_root: Any, container: Any, key: Any, random: Random, odd: tuple[Any, ...]) -> None:
    if isinstance(container, dict):
        container[str(random.choice(odd))[:300]] = container.pop(key)


def _nudge(_root: Any, container: Any, key: Any, random: Random, _odd: tuple[Any, ...]) -> None:
    value = container[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        container[key] = random.choice((-value, value + 1, value - 1, value * 10**9, str(value), value // 2 + 1))
    elif isinstance(value, str):
        container[key] = random.choice((value[:-1], value + value, value.upper(), value + " ", value[::-1]))


_MISTAKES: tuple[Callable[[Any, Any, Any, Random, tuple[Any, ...]], None], ...] = (
    _replace, _replace, _remove, _nest, _transplant, _repeat, _rename, _nudge,
)  # fmt: skip


def as_line(document: Any, random: Random) -> bytes:
    """A document as a line of JSON, at times with bytes changed; not every JSON writer is as careful as ours."""
    return spoiled((json.dumps(document) + "\n").encode(), random, one_in=6)


def spoiled(data: bytes, random: Random, one_in: int = 2) -> bytes:
    """The bytes cut, with some changed, put in twice, or as they are."""
    if not data or random.randrange(one_in):
        return data
    at, length = random.randrange(len(data)), random.choice((1, 1, 2, 8, 64))
    return random.choice(
        (
            data[:at],
            data[:at] + data[at + length :],
            data[:at] + random.randbytes(length) + data[at:],
            data[:at] + b"[" * random.choice((50, 2000, 30_000)) + data[at:],
            data[:at] + data[at : at + length] * random.choice((2, 100)) + data[at + length :],
            data[:at]
            + random.choice((b"\0", b"\n", b"\r", b"\t", b"\xff", b'"', b"{", b"[", b":", b"-", b"9"))
            + data[at + 1 :],
        )
    )
