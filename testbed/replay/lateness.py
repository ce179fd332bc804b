"""How late the actors' timed work was done while a replay went: their own histograms, asked for at both its ends."""

from __future__ import annotations

import pandas as pd

from testbed.actor.lateness import least_ns
from testbed.replay.actor_link import ActorLink
from testbed.replay.crew import Crew

_ANSWER_S = 5.0


class ActorLateness:
    """What each actor says of itself; what it did before the replay does not count."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._answers: dict[int, list[list[int]]] = {link.number: [] for link in crew.links}

    def begin(self) -> None:
        """Have the actors count anew."""
        self._crew.tell_all({"op": "lateness"})

    def end(self) -> None:
        """Ask for what they have counted, and wait for it; ReplayError where one does not answer that should."""
        self._crew.tell_all({"op": "lateness"})
        self._crew.until(
            lambda: all(
                len(self._answers[link.number]) > 1 for link in self._crew.links if link.host not in self._crew.excused
            ),
            _ANSWER_S,
            lambda: "not every actor said how late its timers were",
        )

    def on_lateness(self, link: ActorLink, counts: list[int]) -> None:
        """An actor's answer."""
        self._answers[link.number].append(counts)

    def table(self) -> pd.DataFrame:
        """One row per host and step that any timer fell into: host, up to how late (late_s), timers."""
        rows = [
            (link.host, least_ns(step + 1) / 1e9, count)
            for link in self._crew.links
            for counts in self._answers[link.number][1:]
            for step, count in enumerate(counts)
            if count
        ]
        return pd.DataFrame(rows, columns=["host", "late_s", "timers"])
