from __future__ import annotations

import logging
import threading

import pytest
from small_plans import fat_tree

from controller.ledger import KEPT_ERRORS, ErrorReport, Ledger
from testbed.rules.routes import make_rules

SWITCHES = 5  # of a fat-tree with k = 2


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(make_rules(fat_tree(2)))


def test_it_is_ready_when_every_switch_has_confirmed(ledger: Ledger) -> None:
    for dpid in range(1, SWITCHES + 1):
        assert not ledger.snapshot()["ready"]
        ledger.connected(dpid)
        ledger.installed(dpid, 0.5)
    snapshot = ledger.snapshot()
    assert snapshot["ready"]
    assert snapshot["switches"]["e0"] == {
        "dpid": 1, "connected": True, "installed": True, "installs": 1, "install_s": 0.5,
    }  # fmt: skip


def test_a_switch_that_leaves_and_returns_has_to_confirm_again(ledger: Ledger) -> None:
    ledger.connected(1)
    ledger.installed(1, 0.1)
    ledger.gone(1)
    state = ledger.snapshot()["switches"]["e0"]
    assert (state["connected"], state["installed"], state["installs"]) == (False, False, 1)
    ledger.connected(1)
    assert not ledger.snapshot()["switches"]["e0"]["installed"]
    ledger.installed(1, 0.1)
    assert ledger.snapshot()["switches"]["e0"]["installs"] == 2


def test_waiting_ends_with_the_last_confirmation(ledger: Ledger) -> None:
    for dpid in range(1, SWITCHES):
        ledger.installed(dpid, 0.1)
    threading.Timer(0.01, ledger.installed, (SWITCHES, 0.1)).start()
    assert ledger.wait(60.0)["ready"]


def test_waiting_ends_with_an_error(ledger: Ledger) -> None:
    threading.Timer(0.01, ledger.error, ("bad",)).start()
    snapshot = ledger.wait(60.0)
    assert not snapshot["ready"]
    assert [error["text"] for error in snapshot["errors"]] == ["bad"]


def test_waiting_ends_with_the_deadline(ledger: Ledger) -> None:
    assert not ledger.wait(0.01)["ready"]


def test_old_errors_are_counted_but_not_kept(ledger: Ledger) -> None:
    for number in range(KEPT_ERRORS + 7):
        ledger.error(f"error {number}")
    snapshot = ledger.snapshot()
    assert snapshot["error_count"] == KEPT_ERRORS + 7
    assert [error["text"] for error in snapshot["errors"]] == [f"error {n}" for n in range(7, KEPT_ERRORS + 7)]


def test_every_logged_error_is_reported_with_its_exception(ledger: Ledger) -> None:
    logger = logging.getLogger("test_ledger")
    logger.addHandler(ErrorReport(ledger))
    logger.warning("not reported")
    logger.error("switch %s", "e0")
    try:
        raise ValueError("of this")
    except ValueError:
        logger.exception("failed")
    assert [error["text"] for error in ledger.snapshot()["errors"]] == ["switch e0", "failed: ValueError: of this"]
