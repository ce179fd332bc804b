"""Doing the same for many things, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from testbed.interrupts import held_back

WORKERS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Results in order. After an error or Ctrl-C nothing more is begun, and what is under way ends first."""
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="parallel")
    try:
        return list(pool.map(function, items))
    finally:
        with held_back():
            pool.shutdown(wait=True, cancel_futures=True)
