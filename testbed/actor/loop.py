"""One thread's event loop: descriptors by epoll, timers to some 0.1 ms without spinning."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable

from testbed.actor.lateness import Lateness

_EVENTS_AT_ONCE = 256
_LONGEST_WAIT_S = 3600.0


class Timer:
    """A callback due at an instant of CLOCK_MONOTONIC; `cancel` makes it never run."""

    __slots__ = ("_callback", "due_ns", "to_come")

    def __init__(self, due_ns: int, callback: Callable[[], None], to_come: bool) -> None:
        self.due_ns = due_ns
        self.to_come = to_come
        """Whether its instant was still to come when it was set: only then it can be late."""
        self._callback: Callable[[], None] | None = callback

    @property
    def cancelled(self) -> bool:
        """Whether it will not run any more."""
        return self._callback is None

    def cancel(self) -> None:
        """Forget the callback; its place in the heap goes when its instant comes."""
        self._callback = None

    def run(self) -> None:
        """Call back, at most once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Loop:
    """Calls handlers of ready descriptors, then due timers, then `after_each`, round and round."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[int, int, Timer]] = []
        """A heap: when each is due, and at one instant in the order in which they were set."""
        self._numbers = itertools.count()
        self._running = False
        self.lateness = Lateness()
        """How late timers ran that were set for an instant to come."""
        self.after_each: Callable[[], None] | None = None
        """Called at the end of each round that did something: the place to send what the round produced."""

    def watch(self, descriptor: int, mask: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` when the descriptor shows one of the epoll events of `mask`."""
        if descriptor in self._handlers:
            self._epoll.modify(descriptor, mask)
        else:
            self._epoll.register(descriptor, mask)
        self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """Watch it no more; must come before the descriptor is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back at an instant of CLOCK_MONOTONIC, or in the next round where that is past; one by one at one."""
        timer = Timer(due_ns, callback, due_ns > time.monotonic_ns())
        heapq.heappush(self._timers, (due_ns, next(self._numbers), timer))
        return timer

    def stop(self) -> None:
        """Let `run` return at the end of this round."""
        self._running = False

    def run(self) -> None:
        """Run until `stop`; an exception of a handler passes through."""
        self._running = True
        while self._running:
            for descriptor, events in self._wait():
                handler = self._handlers.get(descriptor)  # an earlier handler of this round may have closed it
                if handler is not None:
                    handler(events)
            self._run_timers()
            if self.after_each is not None:
                self.after_each()

    def close(self) -> None:
        """Free the epoll descriptor."""
        self._epoll.close()

    def _wait(self) -> list[tuple[int, int]]:
        timers = self._timers
        while timers and timers[0][2].cancelled:
            heapq.heappop(timers)
        if not timers:
            return self._epoll.poll(-1, _EVENTS_AT_ONCE)
        wait_ns = timers[0][0] - time.monotonic_ns()
        if wait_ns > 0:
            # epoll rounds its timeouts to milliseconds, select does not; and epoll's own descriptor can be selected.
            select.select((self._epoll,), (), (), min(wait_ns / 1e9, _LONGEST_WAIT_S))
        return self._epoll.poll(0, _EVENTS_AT_ONCE)

    def _run_timers(self) -> None:
        timers = self._timers
        if not timers:
            return
        now = time.monotonic_ns()
        while timers and timers[0][0] <= now:
            due_ns, _, timer = heapq.heappop(timers)
            if timer.to_come and not timer.cancelled:
                self.lateness.note(now - due_ns)
            timer.run()
