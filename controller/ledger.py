"""What the application knows: which switches are there, which have their rules, and everything that went wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from testbed.rules.model import Rules

KEPT_ERRORS = 100
"""The oldest are forgotten (but counted), so that a switch that errs for ever does not fill the memory."""


@dataclass
class SwitchState:
    """One expected switch."""

    dpid: int
    connected: bool = False
    installed: bool = False
    """Every rule was confirmed by a barrier on the connection that is open now."""
    installs: int = 0
    """How often the rules were confirmed: more than one means that the switch came back."""
    install_s: float = 0.0
    """From sending the last batch of rules to its barrier reply. The tables have changed by then; packets of flows
    that the datapath had cached may follow the old ones for some milliseconds more."""


class Ledger:
    """Thread-safe. Handlers write, the northbound interface reads and waits."""

    def __init__(self, rules: Rules) -> None:
        self._names = {switch.dpid: switch.name for switch in rules.switches}
        self._switches = {switch.name: SwitchState(switch.dpid) for switch in rules.switches}
        self._errors: deque[dict[str, Any]] = deque(maxlen=KEPT_ERRORS)
        self._error_count = 0
        self._changed = threading.Condition()

    def connected(self, dpid: int) -> None:
        """A switch of the plan has connected; it holds none of our rules yet."""
        with self._changed:
            state = self._state(dpid)
            state.connected, state.installed = True, False
            self._changed.notify_all()

    def installed(self, dpid: int, seconds: float) -> None:
        """The switch has confirmed all its rules."""
        with self._changed:
            state = self._state(dpid)
            state.installed, state.install_s = True, seconds
            state.installs += 1
            self._changed.notify_all()

    def gone(self, dpid: int) -> None:
        """The switch has closed its connection or stopped answering."""
        with self._changed:
            state = self._state(dpid)
            state.connected = state.installed = False
            self._changed.notify_all()

    def error(self, text: str) -> None:
        """Something went wrong that the run must hear of."""
        with self._changed:
            self._errors.append({"at_unix_s": time.time(), "text": text})
            self._error_count += 1
            self._changed.notify_all()

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data; `ready` is true when every switch has its rules."""
        with self._changed:
            return self._snapshot()

    def wait(self, deadline_s: float) -> dict[str, Any]:
        """The snapshot once every switch has its rules, an error was reported, or `deadline_s` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready() or self._error_count > 0, timeout=deadline_s)
            return self._snapshot()

    def _state(self, dpid: int) -> SwitchState:
        return self._switches[self._names[dpid]]

    def _ready(self) -> bool:
        return all(state.installed for state in self._switches.values())

    def _snapshot(self) -> dict[str, Any]:
        return {
            "ready": self._ready(),
            "switches": {name: asdict(state) for name, state in self._switches.items()},
            "errors": list(self._errors),
            "error_count": self._error_count,
        }


class ErrorReport(logging.Handler):
    """Enters every ERROR of the log in the ledger: nothing can be logged as wrong and then go unheard."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.ERROR)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        """Report one record, with the exception it carries (the traceback stays in the log)."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._ledger.error(text)
