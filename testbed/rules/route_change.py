"""What becomes different in the routes of a switch when the network has changed: what a driver carries out."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass
from typing import Any

from testbed.errors import EmulationError
from testbed.rules.model import Route, Rules

Key = tuple[int, str, str]
"""What tells a switch's routes apart: priority, network, mask."""


@dataclass(frozen=True)
class RouteChange:
    """Routes that are set (in the place of those of the same priority and network) and routes that go."""

    set: tuple[Route, ...] = ()
    remove: tuple[Route, ...] = ()

    def __len__(self) -> int:
        return len(self.set) + len(self.remove)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {part: [asdict(route) for route in routes] for part, routes in self.__dict__.items() if routes}


def route_changes(before: Rules, after: Rules) -> dict[str, RouteChange]:
    """Switch -> its change, of the switches whose routes differ."""
    found = {}
    for then, now in zip(before.switches, after.switches, strict=True):
        old, new = ({key_of(route): route for route in switch.routes} for switch in (then, now))
        change = RouteChange(
            tuple(route for key, route in new.items() if old.get(key) != route),
            tuple(route for key, route in old.items() if key not in new),
        )
        if len(change):
            found[now.name] = change
    return found


def key_of(route: Route) -> Key:
    """What tells it from the other routes of its switch."""
    return route.priority, route.network, route.mask


def route_change_of(document: Any) -> RouteChange:
    """The change of a JSON document of `RouteChange.document`; EmulationError says what is not understood."""
    if not isinstance(document, dict) or not set(document) <= {"set", "remove"}:
        raise EmulationError(f"routes {document!r:.100}; expected an object with set, remove or both")
    try:
        parts = {part: tuple(_route(entry) for entry in entries) for part, entries in document.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise EmulationError(
            f"routes: {error}; expected lists of {{priority, network, mask, ports, mac}} with IPv4 network and mask"
        ) from None
    return RouteChange(**parts)


def _route(entry: Any) -> Route:
    route = Route(**{**entry, "ports": tuple(entry["ports"])})
    for address in (route.network, route.mask):
        ipaddress.IPv4Address(address)
    numbers = (route.priority, *route.ports)
    if not all(type(number) is int and 0 < number < 1 << 16 for number in numbers) or not isinstance(route.mac, str):
        raise ValueError(f"route {entry!r:.100}")
    return route
