"""What the server knows of the runs, and which part of it each reader has not had yet."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

MOST_POINTS = 600
"""Of the goodput's history: when there are more, every second one is forgotten."""


@dataclass(frozen=True)
class Place:
    """How far a reader has read: lasting messages, and the number of the last state."""

    lasting: int = 0
    state: int = 0


class Board:
    """Takes messages (kind, JSON) from one thread, gives them to any number of readers.

    Lasting ones are kept and read in order, each of them once. Of the states only the last is kept: a slow reader gets
    fewer, and holds up nobody.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lasting: list[tuple[str, str]] = []
        self._state: tuple[int, str] = (0, "")
        self._points: list[tuple[float, float]] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    def take(self, kind: str, text: str) -> None:
        """Add a message. `state` and `finished` belong to the `run` before them."""
        with self._changed:
            if kind == "state":
                self._state = (self._state[0] + 1, text)
                self._note(text)
            else:
                if kind == "run":
                    self._state, self._points = (self._state[0], ""), []
                self._lasting.append((kind, text))
            self._changed.notify_all()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read(self, place: Place, timeout_s: float) -> tuple[list[tuple[str, str]], Place]:
        """What came after a place, and the new place; at once where there is something or the end has come.

        A reader that has had nothing also gets the goodput's history, as `history`, before the state.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._is_new(place), timeout_s)
            number, state = self._state
            messages = self._lasting[place.lasting :]
            if state and number > place.state:
                if place == Place() and len(self._points) > 1:
                    messages.append(("history", json.dumps(self._points)))
                messages.append(("state", state))
            return messages, Place(len(self._lasting), number)

    def _is_new(self, place: Place) -> bool:
        return len(self._lasting) > place.lasting or self._state[0] > place.state

    def _note(self, text: str) -> None:
        state = json.loads(text)
        self._points.append((state["at_s"], state["rate_Bps"]))
        if len(self._points) > MOST_POINTS:
            del self._points[1::2]
