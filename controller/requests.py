"""Questions to switches that are answered in one or several messages: statistics."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from testbed.errors import EmulationError


@dataclass
class _Question:
    parts: list[Any] = field(default_factory=list)
    complete: threading.Event = field(default_factory=threading.Event)


class Requests:
    """Matches replies with the threads that wait for them."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], _Question] = {}
        self._lock = threading.Lock()

    def ask(self, messages: dict[str, Any], deadline_s: float) -> dict[str, list[Any]]:
        """Send one request to each switch, together, and wait for all replies.

        `messages`: switch name -> unsent request. Returns switch name -> the entries of its reply. EmulationError
        names the switches that did not answer within the deadline.
        """
        questions: dict[str, _Question] = {}
        keys: list[tuple[int, int]] = []
        try:
            for name, message in messages.items():
                key = message.datapath.id, message.datapath.set_xid(message)
                keys.append(key)
                questions[name] = _Question()
                with self._lock:
                    self._open[key] = questions[name]
                message.datapath.send_msg(message)
            silent = [name for name, question in questions.items() if not question.complete.wait(deadline_s)]
            if silent:
                raise EmulationError(
                    f"no statistics from {', '.join(silent)} within {deadline_s:g} s; "
                    "expected every connected switch to answer: is the switch daemon overloaded or stopped?"
                )
        finally:
            with self._lock:
                for key in keys:
                    del self._open[key]
        return {name: question.parts for name, question in questions.items()}

    def answer(self, reply: Any) -> None:
        """Take a statistics reply; one that nobody waits for any more is dropped."""
        with self._lock:
            question = self._open.get((reply.datapath.id, reply.xid))
        if question is None:
            return
        question.parts.extend(reply.body)
        if not reply.flags & reply.datapath.ofproto.OFPMPF_REPLY_MORE:
            question.complete.set()
