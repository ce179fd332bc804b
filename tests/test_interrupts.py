"""Being asked to end waits for what tidies up, and comes once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from testbed import interrupts
from testbed.interrupts import end_in_order, held_back

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[signal.Signals, Any]]:
    """The handlers of these signals are what they were, after the test; in it none has come yet."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(interrupts, "_heard_s", -interrupts.TOGETHER_S)
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_end_waits_for_the_block(number: signal.Signals) -> None:
    done: list[str] = []

    def tidy() -> None:
        with held_back(done.append):
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGTERM)
            done.append("tidied up")

    end_in_order()
    with pytest.raises(KeyboardInterrupt):
        tidy()
    assert done == ["interrupted: what goes on now is ended first, a moment", "tidied up"]


@pytest.mark.parametrize("number", SIGNALS)
def test_tidying_up_after_an_interrupt_is_not_interrupted(number: signal.Signals) -> None:
    done: list[str] = []

    def work() -> None:
        try:
            raise KeyboardInterrupt("the first")
        finally:
            with held_back():
                signal.raise_signal(number)
            done.append("the rest of it")

    end_in_order()
    with pytest.raises(KeyboardInterrupt, match="the first"):
        work()
    assert done == ["the rest of it"]


def test_an_error_that_is_tidied_up_after_gives_way_to_an_interrupt() -> None:
    def work() -> None:
        try:
            raise ValueError("the first")
        finally:
            with held_back():
                signal.raise_signal(signal.SIGTERM)

    end_in_order()
    with pytest.raises(KeyboardInterrupt) as stop:
        work()
    assert str(stop.value.__context__) == "the first"


def test_signals_that_come_together_are_one_request() -> None:
    end_in_order()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)  # raises nothing


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_in_order()
    with held_back():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_other_threads_change_no_handler(handlers: dict[signal.Signals, Any]) -> None:
    seen = []

    def aside() -> None:
        with held_back():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=aside)
    thread.start()
    thread.join()
    assert seen == [handlers[signal.SIGTERM]]
