"""One thread's event loop: descriptors by epoll, timers to some 0.1 ms without spinning."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable

from testbed.actor.lateness import Lateness

_EVENTS_AT_ONCE = 256
_LONGEST_WAIT_S = 3600.0


class Timer:
    """A callback due at an instant of CLOCK_MONOTONIC; `cancel` makes it never run.

    Of two that are due at one instant, that with the lower number runs first.
    """

    __slots__ = ("_callback", "_number", "due_ns", "to_come")

    def __init__(self, due_ns: int, callback: Callable[[], None], to_come: bool = True, number: int = 0) -> None:
        self.due_ns = due_ns
        self._number = number
        self.to_come = to_come
        """Whether its instant was still to come when it was set: only then it can be late."""
        self._callback: Callable[[], None] | None = callback

    def __lt__(self, other: Timer) -> bool:
        if self.due_ns == other.due_ns:
            return self._number < other._number
        return self.due_ns < other.due_ns

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
        self._timers: list[Timer] = []
        self._set = 0  # timers so far
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
        self._set += 1
        timer = Timer(due_ns, callback, due_ns > time.monotonic_ns(), self._set)
        heapq.heappush(self._timers, timer)
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
        while timers and timers[0].cancelled:
            heapq.heappop(timers)
        if not timers:
            return self._epoll.poll(-1, _EVENTS_AT_ONCE)
        wait_ns = timers[0].due_ns - time.monotonic_ns()
        if wait_ns > 0:
            # epoll rounds its timeouts to milliseconds, select does not; and epoll's own descriptor can be selected.
            select.select((self._epoll,), (), (), min(wait_ns / 1e9, _LONGEST_WAIT_S))
        return self._epoll.poll(0, _EVENTS_AT_ONCE)

    def _run_timers(self) -> None:
        timers = self._timers
        if not timers:
            return
        now = time.monotonic_ns()
        while timers and timers[0].due_ns <= now:
            timer = heapq.heappop(timers)
            if timer.to_come and not timer.cancelled:
                self.lateness.note(now - timer.due_ns)
            timer.run()
