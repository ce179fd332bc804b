"""Being asked to end, by Ctrl-C, SIGTERM or a terminal that hangs up: once, and never in the middle of tidying up."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOGETHER_S = 1.0
"""Signals this close together are one request: a service manager sends several, and so does an impatient hand."""

_heard_s = -TOGETHER_S


def end_in_order() -> None:
    """From now on each of these signals raises KeyboardInterrupt; one that is ignored (nohup) stays so."""
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _heard_s
    before_s, _heard_s = _heard_s, time.monotonic()
    if _heard_s - before_s >= TOGETHER_S:
        raise KeyboardInterrupt


@contextmanager
def held_back(log: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Let these signals wait until the block is done: a tear-down that is cut short leaves things behind.

    One that came is obeyed then, unless an interrupt is what the block tidies up after.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def later(number: int, _frame: FrameType | None) -> None:
        if not came:
            log("interrupted: what goes on now is ended first, a moment")
        came.append(number)

    before = {number: signal.getsignal(number) for number in ASKING}
    taken = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in taken:
        signal.signal(number, later)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
        if came and not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            signal.raise_signal(came[0])
