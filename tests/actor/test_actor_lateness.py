from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from testbed.actor.lateness import STEPS, Lateness, least_ns, step_of
from testbed.actor.loop import Loop

if TYPE_CHECKING:  # each folder of tests has a conftest, and all have one name
    from conftest import Client


@given(st.integers(0, 10**12))
def test_every_lateness_has_its_step_a_quarter_wide_at_most(late_ns: int) -> None:
    step = step_of(late_ns)
    assert least_ns(step) <= late_ns
    if step < STEPS - 1:
        assert late_ns < least_ns(step + 1)
        assert least_ns(step + 1) - least_ns(step) <= max(1024, least_ns(step) / 4)


def test_steps_are_counted_up_to_the_last_that_has_any_and_begin_anew() -> None:
    lateness = Lateness()
    for late_ns in (0, 1023, 1024, 5000):
        lateness.note(late_ns)
    assert lateness.take() == [2, 1, 0, 0, 1]
    assert lateness.take() == []


def test_a_loop_notes_timers_that_were_set_for_later_and_no_others() -> None:
    loop = Loop()
    now = time.monotonic_ns()
    loop.call_at(0, lambda: None)
    loop.call_at(now - 10**9, lambda: None)
    loop.call_at(now + 2_000_000, lambda: None).cancel()
    loop.call_at(now + 1_000_000, lambda: _work_until(now + 40_000_000))
    loop.call_at(now + 3_000_000, loop.stop)
    loop.run()
    loop.close()
    counts = loop.lateness.take()
    assert sum(counts) == 2
    assert sum(counts[step_of(37_000_000) :]) == 1  # the second waited for the first one's work


def _work_until(instant_ns: int) -> None:
    while time.monotonic_ns() < instant_ns:
        pass


def test_an_actor_tells_how_late_it_was_since_it_was_last_asked(actor: Callable[..., Client]) -> None:
    client = actor()
    client.say("lateness")
    client.wait_for("lateness")
    client.say("progress", every_ns=1_000_000)
    client.say("probe", probe=1, bind=client.address, peer=client.address, port=client.port, count=5, every_ns=10**6)
    client.wait_for("probed")
    client.say("lateness")
    counts = client.wait_for("lateness")
    assert all(isinstance(count, int) and count >= 0 for count in counts)
    assert sum(counts) >= 4  # the probe's own timers at least


def test_an_actor_without_timers_of_its_own_notices_that_it_was_stopped(actor: Callable[..., Client]) -> None:
    client = actor()
    client.say("lateness")
    client.wait_for("lateness")
    client.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # not a wait for anything: the pause itself
    client.process.send_signal(signal.SIGCONT)
    client.say("lateness")
    counts = client.wait_for("lateness")
    while not counts:  # the question may have come before the timer's turn
        client.say("lateness")
        counts = client.wait_for("lateness")
    assert least_ns(len(counts)) >= 250_000_000
