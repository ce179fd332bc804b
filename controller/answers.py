"""What the northbound interface answers: one function per path of docs/northbound.openapi.yml."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from controller.app import RulesApp
from controller.batches import Batch
from controller.northbound import Answer, RefusalError
from testbed.errors import EmulationError, unknown_name
from testbed.rules.edge import change_of
from testbed.rules.route_change import route_change_of
from testbed.rules.walk import node_paths

LONGEST_WAIT_S = 3600.0
STATISTICS_DEADLINE_S = 5.0
CHANGE_DEADLINE_S = 5.0
PORT_COUNTERS = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped", "rx_errors")
_LAST_PORT = 0xFFFFFF00
"""Higher port numbers are reserved: the bridge itself."""

Query = Mapping[str, str]
Change = TypeVar("Change")


def make_routes(app: RulesApp) -> dict[str, dict[str, Answer]]:
    """Path -> method -> what answers it."""
    answers = _Answers(app)
    return {
        "/status": {"GET": answers.status},
        "/ready": {"GET": answers.ready},
        "/topology": {"GET": answers.topology},
        "/paths": {"GET": answers.paths},
        "/ports": {"GET": answers.ports},
        "/flows": {"GET": answers.flows},
        "/meters": {"GET": answers.meters},
        "/marks": {"GET": answers.marks},
        "/changes": {"POST": answers.change},
        "/routes": {"POST": answers.change_routes},
    }


class _Answers:
    """Asks the application and its switches."""

    def __init__(self, app: RulesApp) -> None:
        self._app = app

    def status(self, query: Query, _body: Any) -> dict[str, Any]:
        _only(query)
        return self._app.ledger.snapshot()

    def ready(self, query: Query, _body: Any) -> dict[str, Any]:
        return self._app.ledger.wait(_deadline(query))

    def topology(self, query: Query, _body: Any) -> list[dict[str, Any]]:
        _only(query)
        return [
            {
                "name": rules.name,
                "dpid": dpid,
                "neighbours": {str(port): name for port, name in rules.neighbours},
                "routes": len(rules.routes),
            }
            for dpid, rules in sorted(self._app.rules.items())
        ]

    def paths(self, query: Query, _body: Any) -> dict[str, Any]:
        _only(query, "source", "destination")
        missing = [name for name in ("source", "destination") if name not in query]
        if missing:
            raise EmulationError(f"{missing[0]} is missing; expected a host as source and an address as destination")
        found = node_paths(list(self._app.rules.values()), query["source"], query["destination"])
        return {"paths": found}

    def ports(self, query: Query, _body: Any) -> dict[str, dict[str, dict[str, int]]]:
        return {
            name: {
                str(entry.port_no): {counter: getattr(entry, counter) for counter in PORT_COUNTERS}
                for entry in entries
                if entry.port_no <= _LAST_PORT
            }
            for name, entries in self._ask(
                query, lambda datapath: datapath.ofproto_parser.OFPPortStatsRequest(
                    datapath, 0, datapath.ofproto.OFPP_ANY)
            ).items()
        }  # fmt: skip

    def flows(self, query: Query, _body: Any) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [
                {
                    "table": entry.table_id,
                    "priority": entry.priority,
                    "match": {key: str(value) for key, value in entry.match.items()},
                    "packets": entry.packet_count,
                    "bytes": entry.byte_count,
                }
                for entry in entries
            ]
            for name, entries in self._ask(
                query, lambda datapath: datapath.ofproto_parser.OFPFlowStatsRequest(datapath)
            ).items()
        }

    def meters(self, query: Query, _body: Any) -> dict[str, dict[str, Any]]:
        counted = self._ask(query, lambda datapath: datapath.ofproto_parser.OFPMeterStatsRequest(datapath))
        return {name: self._meters_of(name, entries) for name, entries in counted.items()}

    def _meters_of(self, name: str, entries: Iterable[Any]) -> dict[str, Any]:
        edge = self._app.edge(name)
        counters = {entry.meter_id: entry for entry in entries}
        return {
            "meters": [
                {
                    "meter": number,
                    "rate_bps": meter.rate_bps,
                    "burst_bytes": meter.burst_bytes,
                    "packets": counters[number].packet_in_count,
                    "bytes": counters[number].byte_in_count,
                    "dropped_packets": counters[number].band_stats[0].packet_band_count,
                    "dropped_bytes": counters[number].band_stats[0].byte_band_count,
                }
                for number, meter in edge.meters.items()
                if number in counters
            ],
            "metered": [{"flow": list(flow), "meter": meter} for flow, meter in edge.metered.items()],
        }

    def marks(self, query: Query, _body: Any) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [{"flow": list(flow), "dscp": dscp} for flow, dscp in self._app.edge(name).marks.items()]
            for name in self._named(query)
        }

    def change(self, query: Query, body: Any) -> dict[str, Any]:
        changes = self._by_switch(query, body, "changes", change_of)
        return _confirmations(self._app.change(changes, CHANGE_DEADLINE_S))

    def change_routes(self, query: Query, body: Any) -> dict[str, Any]:
        changes = self._by_switch(query, body, "routes", route_change_of)
        return _confirmations(self._app.change_routes(changes, CHANGE_DEADLINE_S))

    def _by_switch(self, query: Query, body: Any, what: str, read: Callable[[Any], Change]) -> dict[str, Change]:
        _only(query)
        if not isinstance(body, dict) or set(body) != {"switches"} or not isinstance(body["switches"], dict):
            raise EmulationError(f"{what}: expected an object {{switches: {{NAME: change}}}}")
        changes = {}
        for name, document in body["switches"].items():
            try:
                changes[self._known(name)] = read(document)
            except EmulationError as error:
                raise EmulationError(f"{what}: switch {name}: {error}") from None
        return changes

    def _named(self, query: Query) -> list[str]:
        """The switch of the query, or all of them."""
        _only(query, "switch")
        return [self._known(query["switch"])] if "switch" in query else list(self._app.dpids)

    def _ask(self, query: Query, request: Callable[[Any], Any]) -> dict[str, list[Any]]:
        """The entries that the switch of the query, or every one that is connected, has for a request."""
        app, names = self._app, self._named(query)
        connected = {name: app.datapaths[app.dpids[name]] for name in names if app.dpids[name] in app.datapaths}
        if "switch" in query and not connected:
            raise RefusalError(
                HTTPStatus.CONFLICT, f"switch {names[0]} is not connected; its statistics are not to be had"
            )
        asked = {name: request(datapath) for name, datapath in connected.items()}
        return app.requests.ask(asked, STATISTICS_DEADLINE_S)

    def _known(self, name: str) -> str:
        if name not in self._app.dpids:
            raise EmulationError(unknown_name("switch", name, self._app.dpids))
        return name


def _confirmations(batches: Mapping[str, Batch | None]) -> dict[str, Any]:
    return {
        "switches": {
            name: {
                "connected": batch is not None,
                "messages": len(batch.purposes) if batch is not None else 0,
                "install_s": batch.install_s if batch is not None else None,
                "errors": list(batch.errors) if batch is not None else [],
            }
            for name, batch in batches.items()
        }
    }


def _only(query: Query, *known: str) -> None:
    for name in query:
        if name not in known:
            raise EmulationError(unknown_name("parameter", name, known))


def _deadline(query: Query) -> float:
    _only(query, "deadline_s")
    text = query.get("deadline_s", "0")
    try:
        deadline_s = float(text)
    except ValueError:
        deadline_s = -1.0
    if not 0 <= deadline_s <= LONGEST_WAIT_S:
        raise EmulationError(f"deadline_s is {text}, expected seconds from 0 to {LONGEST_WAIT_S:g}")
    return deadline_s
