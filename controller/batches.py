"""Batches of messages to one switch: sent together, ended by a barrier, with what the switch said about them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from controller.openflow import Message


@dataclass
class Batch:
    """Messages under way. `done` is set when the barrier is answered, or can no longer be."""

    purposes: dict[int, str]
    """Transaction -> what that message is for."""
    sent_at: float
    """Of the monotonic clock, in seconds."""
    errors: list[str] = field(default_factory=list)
    """What the switch refused, in words."""
    install_s: float | None = None
    """From sending to the barrier reply; None where that did not come."""
    done: threading.Event = field(default_factory=threading.Event)


class Batches:
    """All batches under way, by switch. Thread-safe."""

    def __init__(self) -> None:
        self._open: dict[int, dict[int, Batch]] = {}  # dpid -> transaction of the barrier -> batch
        self._lock = threading.Lock()

    def send(self, datapath: Any, messages: list[Message]) -> Batch:
        """Send messages, of which the last is a barrier, in one write."""
        wire = bytearray()
        with self._lock:
            purposes: dict[int, str] = {}
            transaction = 0
            for message, purpose in messages:
                transaction = datapath.set_xid(message)
                purposes[transaction] = purpose
                message.serialize()
                wire += message.buf
            batch = Batch(purposes, time.monotonic())
            self._open.setdefault(datapath.id, {})[transaction] = batch
            datapath.send(bytes(wire))
        return batch

    def passed(self, dpid: int, transaction: int) -> Batch | None:
        """A barrier was answered; the batch that it ended, if it is one of ours."""
        with self._lock:
            batch = self._open.get(dpid, {}).pop(transaction, None)
        if batch is not None:
            batch.install_s = time.monotonic() - batch.sent_at
            batch.done.set()
        return batch

    def of(self, dpid: int, transaction: int) -> Batch | None:
        """The batch under way that a message belongs to."""
        with self._lock:
            batches = list(self._open.get(dpid, {}).values())
        return next((batch for batch in batches if transaction in batch.purposes), None)

    def abandon(self, dpid: int) -> None:
        """The switch's connection is gone: nothing of what was under way will be answered."""
        with self._lock:
            abandoned = self._open.pop(dpid, {})
        for batch in abandoned.values():
            batch.done.set()
