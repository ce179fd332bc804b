from __future__ import annotations

import os
import select
import time

import pytest

from testbed.actor.loop import Loop


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_timers_run_in_order_and_not_early(loop: Loop) -> None:
    ran: list[tuple[str, bool]] = []
    base = time.monotonic_ns()
    for name, due in (("late", base + 3_300_000), ("early", base + 700_000), ("past", base - 10**9)):
        loop.call_at(due, lambda name=name, due=due: ran.append((name, time.monotonic_ns() >= due)))  # type: ignore[misc]
    loop.call_at(base + 5_000_000, loop.stop)
    loop.run()
    assert ran == [("past", True), ("early", True), ("late", True)]


def test_a_cancelled_timer_never_runs(loop: Loop) -> None:
    ran: list[int] = []
    timer = loop.call_at(0, lambda: ran.append(1))
    timer.cancel()
    loop.call_at(1, loop.stop)
    loop.run()
    assert ran == []
    assert timer.cancelled


def test_descriptors_wake_the_loop_and_a_forgotten_one_does_not(loop: Loop) -> None:
    reader, writer = os.pipe()
    other, other_writer = os.pipe()
    seen: list[bytes] = []

    def ready(_: int) -> None:
        seen.append(os.read(reader, 10))
        loop.forget(other)
        loop.call_at(0, loop.stop)

    loop.watch(reader, select.EPOLLIN, ready)
    loop.watch(other, select.EPOLLIN, lambda _: seen.append(b"forgotten"))
    os.write(writer, b"x")
    loop.run()
    os.write(other_writer, b"y")
    loop.call_at(0, loop.stop)
    loop.run()
    assert seen == [b"x"]
    for descriptor in (reader, writer, other, other_writer):
        os.close(descriptor)


def test_after_each_round_the_hook_is_called(loop: Loop) -> None:
    rounds: list[int] = []
    loop.after_each = lambda: rounds.append(1)
    loop.call_at(0, lambda: loop.call_at(0, loop.stop) and None)
    loop.run()
    assert len(rounds) >= 1


def test_an_exception_of_a_handler_passes_through_and_the_loop_can_go_on(loop: Loop) -> None:
    def fail() -> None:
        raise ValueError("out")

    loop.call_at(0, fail)
    with pytest.raises(ValueError, match="out"):
        loop.run()
    loop.call_at(0, loop.stop)
    loop.run()


def test_timers_of_one_instant_run_in_the_order_in_which_they_were_set() -> None:
    loop, ran = Loop(), []
    due_ns = time.monotonic_ns() + 1_000_000
    for number in range(40):
        loop.call_at(due_ns, lambda number=number: ran.append(number))  # type: ignore[misc]
    loop.call_at(due_ns + 1, loop.stop)
    loop.run()
    loop.close()
    assert ran == list(range(40))
