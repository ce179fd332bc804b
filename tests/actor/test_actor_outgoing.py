"""When a paced flow's next write is set anew."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox
from testbed.actor.outgoing import Sender

RATE_BPS = 50_000.0


class CountingLoop(Loop):
    """Remembers the timers that were set."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[Timer] = []

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        timer = super().call_at(due_ns, callback)
        self.timers.append(timer)
        return timer

    def run_for(self, time_ns: int) -> None:
        """Run so long; the timer that ends it is not remembered."""
        super().call_at(time.monotonic_ns() + time_ns, self.stop)
        self.run()


class Flow:
    """An endless flow over loopback, between two of its writes."""

    def __init__(self, door: socket.socket) -> None:
        self.loop = CountingLoop()
        self.sender = Sender(self.loop, Outbox(Loop()))
        self.sender.open(1, 2**40, ("127.78.1.1", 0), door.getsockname(), "")
        self.loop.run_for(5_000_000)
        self.peer, _ = door.accept()
        self.outgoing = self.sender.flows[1]
        self.outgoing.start(0, RATE_BPS)
        while not self.waiting or self.outgoing.sent < 1000:  # its small first writes are over
            self.loop.run_for(1_000_000)

    @property
    def waiting(self) -> list[Timer]:
        """The timers that are still to come."""
        return [timer for timer in self.loop.timers if not timer.cancelled]

    def change(self, share: float) -> bool:
        """Whether a cap of so much of the first one sets the next write anew."""
        count = len(self.loop.timers)
        self.outgoing.set_rate(share * RATE_BPS)
        return len(self.loop.timers) > count


@pytest.fixture
def flow() -> Iterator[Flow]:
    with socket.create_server(("127.78.1.2", 0)) as door:
        made = Flow(door)
        yield made
        made.sender.close()
        made.loop.close()
        made.peer.close()


def test_a_small_change_of_the_cap_leaves_the_next_write_where_it_is(flow: Flow) -> None:
    before = flow.waiting
    assert [flow.change(share) for share in (1.05, 0.95, 1.09, 0.91, 1.0)] == [False] * 5
    assert flow.waiting == before


def test_a_change_that_counts_sets_the_next_write_anew(flow: Flow) -> None:
    [before] = flow.waiting
    assert flow.change(2.0)
    assert before.cancelled
    assert len(flow.waiting) == 1


def test_small_changes_that_add_up_set_the_next_write_anew(flow: Flow) -> None:
    anew = [flow.change(share) for share in (1.04, 1.08, 1.12, 1.16, 1.20, 1.24)]
    assert anew == [False, False, True, False, False, True]


def test_a_stop_and_a_release_take_effect_at_once(flow: Flow) -> None:
    flow.change(0.0)
    assert flow.waiting == []
    sent = flow.outgoing.sent
    flow.loop.run_for(30_000_000)
    assert flow.outgoing.sent == sent
    assert flow.change(1.0)
    flow.loop.run_for(1_000_000)
    assert flow.outgoing.sent > sent
