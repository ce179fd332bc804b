"""All actors of a run: reached, greeted, watched for signs of life, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from testbed.actor.loop import Loop
from testbed.errors import ReplayError
from testbed.replay.actor_link import ActorLink, Connect

PING_EVERY_S = 0.25
_TURNS = 10
"""Actors are asked by turns: all at once would keep small machines busy for a while."""
SILENT_LIMIT_S = 1.5
"""An actor that owes an answer for this long is wedged; with the ping's interval it shows within 2 s."""
_PAUSED_NS = 500_000_000
_RETRY_NS = 5_000_000
_GREETING_S = 10.0


class Crew:
    """The actors, in the order of the hosts, and the event loop on which everything of a replay happens."""

    def __init__(
        self,
        hosts: Sequence[str],
        sockets: Sequence[str],
        on_message: Callable[[ActorLink, dict[str, Any]], None],
        connect: Connect,
    ) -> None:
        if len(hosts) != len(sockets):
            raise ReplayError(f"{len(sockets)} control sockets for {len(hosts)} hosts; expected one per host, in order")
        self.loop = Loop()
        self.links = [
            ActorLink(self.loop, number, host, where, on_message, self._lost, connect)
            for number, (host, where) in enumerate(zip(hosts, sockets, strict=True))
        ]
        self.tolerant = False
        """Set when a run is being given up: an actor that goes then is not an error of its own."""
        self.excused: set[str] = set()
        """Hosts that fall silent on purpose: paused or killed by a fault of the plan."""
        self.silent = False
        """Set while nobody is to be spoken to: then only the end of an actor's connection is noticed."""

    def gather(self) -> None:
        """Connect to each actor and greet it; ReplayError names the host whose actor does not answer."""
        failures = dict.fromkeys(self.links, "not tried")

        def attempt() -> None:
            for link in [link for link in failures if (self._try(link, failures))]:
                del failures[link]
            if failures:
                self.loop.call_at(time.monotonic_ns() + _RETRY_NS, attempt)

        def missing() -> str:
            link = next(link for link in self.links if not link.ready)
            return f"host {link.host}: no greeting from its actor at {link.where} ({failures.get(link, 'silent')})"

        self.loop.call_at(0, attempt)
        self.until(lambda: all(link.ready for link in self.links), _GREETING_S, missing)

    def watch(self) -> None:
        """Ping all actors from now on; ReplayError names the host whose actor stays silent."""
        self._watch(time.monotonic_ns(), 0)

    def _watch(self, due_ns: int, turn: int) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - due_ns > _PAUSED_NS:  # the machine, or this process, was paused: no actor can be blamed for it
            for link in self.links:
                link.excuse()
        for link in self.links[turn::_TURNS]:
            if link.silent_s() > SILENT_LIMIT_S and not self.tolerant and link.host not in self.excused:
                raise ReplayError(
                    f"host {link.host}: its actor has not answered for {link.silent_s():.1f} s "
                    f"(limit {SILENT_LIMIT_S} s); its process is stopped, or starved of CPU"
                )
            if not self.silent:
                link.ping()
        next_ns = now_ns + int(PING_EVERY_S * 1e9) // _TURNS
        self.loop.call_at(next_ns, lambda: self._watch(next_ns, (turn + 1) % _TURNS))

    def expect(self, host: str) -> None:
        """A host is back: its silence counts again, from now on."""
        self.excused.discard(host)
        for link in self.links:
            if link.host == host:
                link.excuse()

    def until(self, condition: Callable[[], bool], limit_s: float, missing: Callable[[], str]) -> None:
        """Run the loop until the condition holds; ReplayError with what `missing` says where it does not in time."""
        loop = self.loop
        if condition():
            return

        def check() -> None:
            if condition():
                loop.stop()

        def too_late() -> None:
            raise ReplayError(f"{missing()}; waited for {limit_s:g} s")

        timer = None if limit_s == np.inf else loop.call_at(time.monotonic_ns() + int(limit_s * 1e9), too_late)
        before, loop.after_each = loop.after_each, check
        try:
            loop.run()
        finally:
            loop.after_each = before
            if timer is not None:
                timer.cancel()

    def tell_all(self, message: dict[str, Any]) -> None:
        """Send one command to every actor that is there."""
        for link in self.links:
            link.tell(message)

    def traffic(self) -> tuple[int, int]:
        """Control bytes to and from all actors."""
        return sum(link.traffic[0] for link in self.links), sum(link.traffic[1] for link in self.links)

    def round_trip_ns(self) -> int:
        """How long a command and its answer take: median over the actors, as last measured; 0 before that."""
        last = [link.ping_s[-1] for link in self.links if link.ping_s]
        return int(median(last) * 1e9) if last else 0

    def close(self) -> None:
        """Leave all actors and free the loop."""
        for link in self.links:
            link.close()
        self.loop.close()

    @staticmethod
    def _try(link: ActorLink, failures: dict[ActorLink, str]) -> bool:
        failures[link] = link.try_connect(timeout_s=1.0)
        return not failures[link]

    def _lost(self, link: ActorLink, reason: str) -> None:
        if not self.tolerant and link.host not in self.excused:
            raise ReplayError(f"host {link.host}: its actor is gone: {reason}")
