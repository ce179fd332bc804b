"""The routes that a switch has, and the numbers of those that spread over several ports."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.rules.model import Route
from testbed.rules.route_change import Key, RouteChange, key_of


class RouteTable:
    """As installed: a route's number is its place. Those that come later have numbers that were never used before."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = {key_of(route): route for route in routes}
        self._numbers = {key: number for number, key in enumerate(self._routes) if len(self._routes[key].ports) > 1}
        self._next = len(self._routes)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes."""
        return tuple(self._routes.values())

    def apply(self, change: RouteChange) -> tuple[dict[Key, int], list[int]]:
        """Carry out a change: numbers of the routes in it that spread, and numbers that no route has any more."""
        numbers: dict[Key, int] = {}
        touched = [key_of(route) for route in (*change.set, *change.remove)]
        gone = [self._numbers.pop(key) for key in touched if key in self._numbers]
        for route in change.set:
            self._routes[key_of(route)] = route
            if len(route.ports) > 1:
                self._numbers[key_of(route)] = numbers[key_of(route)] = self._next
                self._next += 1
        for route in change.remove:
            self._routes.pop(key_of(route), None)
        return numbers, gone
