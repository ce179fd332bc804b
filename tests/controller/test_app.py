"""os_ken's silent event threads, and the guard against them."""

from __future__ import annotations

import logging
import threading

import pytest
from os_ken.base.app_manager import OSKenApp
from os_ken.controller.event import EventBase
from os_ken.controller.handler import register_instance, set_ev_cls

import controller.app as controller_app
from controller.app import RulesApp, handles


class Happened(EventBase):
    def __init__(self, bad: bool) -> None:
        super().__init__()
        self.bad = bad


class Bare(OSKenApp):
    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    @set_ev_cls(Happened)
    def handle(self, event: Happened) -> None:
        if event.bad:
            raise ValueError("the handler's")
        self.done.set()


class Guarded(OSKenApp):
    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    @handles(Happened)
    def handle(self, event: Happened) -> None:
        if event.bad:
            raise ValueError("the handler's")
        self.done.set()


def deliver(app: OSKenApp) -> None:
    """A bad event, then a good one."""
    register_instance(app)
    app.start()
    for bad in (True, False):
        app._send_event(Happened(bad), None)


def test_an_exception_ends_the_event_thread_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    app = Bare()
    deliver(app)
    app.threads[0].join(10)
    assert not app.threads[0].is_alive()
    assert not app.done.is_set()
    assert caplog.records == []


def test_a_guarded_handler_reports_it_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    app = Guarded()
    deliver(app)
    assert app.done.wait(10)
    app.stop()
    record = caplog.records[0]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "handler handle failed on Happened")
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the handler's"


def test_every_handler_of_the_application_is_guarded() -> None:
    declared = [member for member in vars(RulesApp).values() if hasattr(member, "callers")]
    assert len(declared) == 7
    assert all(hasattr(member, "__wrapped__") for member in declared)
    assert not hasattr(controller_app.handles, "callers")
