"""The application: events in, messages out. What the messages say is decided by the rules, not here."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import (
    CONFIG_DISPATCHER,
    DEAD_DISPATCHER,
    HANDSHAKE_DISPATCHER,
    MAIN_DISPATCHER,
    set_ev_cls,
)
from os_ken.ofproto import ofproto_v1_3

from controller.batches import Batch, Batches
from controller.ledger import Ledger
from controller.openflow import change_messages, install_messages, route_messages
from controller.requests import Requests
from controller.route_table import RouteTable
from testbed.errors import EmulationError
from testbed.rules.edge import Change, EdgeState
from testbed.rules.model import Rules
from testbed.rules.route_change import RouteChange

LOG = logging.getLogger("controller")

App = TypeVar("App")
Handler = Callable[[App, Any], None]


def handles(event: Any, *states: Any) -> Callable[[Handler[App]], Handler[App]]:
    """Declare a handler of an os_ken event, and guard it.

    In os_ken's native hub an exception in a handler ends the thread that delivers events, without a word in the log:
    the application then looks alive and does nothing. So every handler is declared by this and never by `set_ev_cls`.
    """

    def decorate(handler: Handler[App]) -> Handler[App]:
        @functools.wraps(handler)
        def guarded(app: App, happened: Any) -> None:
            try:
                handler(app, happened)
            except Exception:
                LOG.exception("handler %s failed on %s", handler.__name__, type(happened).__name__)

        declared: Handler[App] = set_ev_cls(event, list(states))(guarded)
        return declared

    return decorate


class RulesApp(OSKenApp):  # type: ignore[misc]  # os_ken has no types
    """Gives each switch its rules when it connects, whenever that is, changes meters and marks, keeps the ledger."""

    OFP_VERSIONS = (ofproto_v1_3.OFP_VERSION,)

    def __init__(self, rules: Rules, ledger: Ledger, requests: Requests) -> None:
        super().__init__()
        self.rules = {switch.dpid: switch for switch in rules.switches}
        self.dpids = {switch.name: switch.dpid for switch in rules.switches}
        self.ledger = ledger
        self.requests = requests
        self.datapaths: dict[int, Any] = {}
        self._edges = {dpid: EdgeState() for dpid in self.rules}
        self._tables = {dpid: RouteTable(switch.routes) for dpid, switch in self.rules.items()}
        self._batches = Batches()
        self._installs: dict[int, Batch] = {}  # the batch of rules that each switch has not confirmed yet
        self._order = threading.Lock()  # what is noted of a switch, and what it is sent, in the same order

    def edge(self, name: str) -> EdgeState:
        """Meters and marks that a switch has, or shall have when it is back."""
        return self._edges[self.dpids[name]]  # a change puts another in its place

    def change(self, changes: Mapping[str, Change], deadline_s: float) -> dict[str, Batch | None]:
        """Change meters and marks, and wait for every switch's barrier; the batches by switch name.

        A switch that is not connected has None: it is given what has changed with its rules when it is back. One that
        does not answer within the deadline has a batch that is not done. EmulationError, with nothing changed
        anywhere, where a change is not possible.
        """
        with self._order:
            before = {name: self.edge(name) for name in changes}
            after = {name: state.copy() for name, state in before.items()}
            for name, change in changes.items():
                try:
                    after[name].apply(change)
                except EmulationError as error:
                    raise EmulationError(f"switch {name}: {error}") from None
            sent: dict[str, Batch | None] = {}
            for name, change in changes.items():
                self._edges[self.dpids[name]] = after[name]
                datapath = self.datapaths.get(self.dpids[name])
                sent[name] = None
                if datapath is not None:
                    sent[name] = self._batches.send(datapath, change_messages(datapath, change, before[name]))
        return _confirmed(sent, deadline_s)

    def change_routes(self, changes: Mapping[str, RouteChange], deadline_s: float) -> dict[str, Batch | None]:
        """Change routes, and wait for every switch's barrier, as `change` does; a switch that is back has the last."""
        with self._order:
            sent: dict[str, Batch | None] = {}
            for name, change in changes.items():
                dpid = self.dpids[name]
                table = self._tables[dpid]
                numbers, gone = table.apply(change)
                self.rules[dpid] = replace(self.rules[dpid], routes=table.routes)
                datapath, sent[name] = self.datapaths.get(dpid), None
                if datapath is not None:
                    messages = route_messages(datapath, change, numbers, gone, self.rules[dpid].hash_basis)
                    sent[name] = self._batches.send(datapath, messages)
        return _confirmed(sent, deadline_s)

    @handles(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def switch_connected(self, event: Any) -> None:
        """The handshake is done: install the rules, or refuse a switch that is not of this plan."""
        datapath = event.datapath
        if datapath.id not in self.rules:
            LOG.warning("refused a switch with unknown dpid %016x from %s: the plan's are 1 to %d",
                        datapath.id, datapath.address[0], len(self.rules))  # fmt: skip
            datapath.close()
            return
        rules = self.rules[datapath.id]
        with self._order:
            self._batches.abandon(datapath.id)
            self.datapaths[datapath.id] = datapath
            self._tables[datapath.id] = RouteTable(rules.routes)
            self.ledger.connected(datapath.id)
            messages = install_messages(datapath, rules, self._edges[datapath.id])
            self._installs[datapath.id] = self._batches.send(datapath, messages)
        LOG.info("%s (dpid %d) connected: sent %d messages", rules.name, datapath.id, len(messages))

    @handles(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def barrier_passed(self, event: Any) -> None:
        """The switch has gone through a whole batch."""
        dpid = event.msg.datapath.id
        if event.msg.datapath is not self.datapaths.get(dpid):
            return
        batch = self._batches.passed(dpid, event.msg.xid)
        if batch is not None and batch is self._installs.get(dpid):
            del self._installs[dpid]
            assert batch.install_s is not None
            self.ledger.installed(dpid, batch.install_s)
            LOG.info("%s has its rules", self.rules[dpid].name)

    @handles(ofp_event.EventOFPErrorMsg, HANDSHAKE_DISPATCHER, CONFIG_DISPATCHER, MAIN_DISPATCHER)
    def switch_objected(self, event: Any) -> None:
        """A switch refused a message."""
        message, dpid = event.msg, event.msg.datapath.id
        ofproto = message.datapath.ofproto
        name = self.rules[dpid].name if dpid in self.rules else f"switch {message.datapath.address[0]}"
        batch = self._batches.of(dpid, message.xid)
        purpose = batch.purposes[message.xid] if batch is not None else f"transaction {message.xid}"
        kind, code = (ofproto.ofp_error_type_to_str(message.type),
                      ofproto.ofp_error_code_to_str(message.type, message.code))  # fmt: skip
        if batch is not None:
            batch.errors.append(f"{name} refused '{purpose}': {kind}, {code}")
        LOG.error("%s refused '%s': %s, %s", name, purpose, kind, code)

    @handles(ofp_event.EventOFPStateChange, DEAD_DISPATCHER)
    def switch_left(self, event: Any) -> None:
        """A connection ended. Where the switch has already made a new one, that is not news."""
        datapath = event.datapath
        dpid = datapath.id
        if self.datapaths.get(dpid) is datapath:
            with self._order:
                del self.datapaths[dpid]
                self._batches.abandon(dpid)
            self.ledger.gone(dpid)
            LOG.warning("%s (dpid %d) is gone", self.rules[dpid].name, dpid)

    @handles(ofp_event.EventOFPPortStatsReply, MAIN_DISPATCHER)
    def port_statistics(self, event: Any) -> None:
        """Counters of ports that somebody asked for."""
        self.requests.answer(event.msg)

    @handles(ofp_event.EventOFPMeterStatsReply, MAIN_DISPATCHER)
    def meter_statistics(self, event: Any) -> None:
        """Counters of meters that somebody asked for."""
        self.requests.answer(event.msg)

    @handles(ofp_event.EventOFPFlowStatsReply, MAIN_DISPATCHER)
    def flow_statistics(self, event: Any) -> None:
        """Counters of table entries that somebody asked for."""
        self.requests.answer(event.msg)


def _confirmed(sent: dict[str, Batch | None], deadline_s: float) -> dict[str, Batch | None]:
    """The batches when every switch has confirmed its own, or the deadline has passed."""
    end = time.monotonic() + deadline_s
    for batch in sent.values():
        if batch is not None:
            batch.done.wait(max(end - time.monotonic(), 0.0))
    return sent
