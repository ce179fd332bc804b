"""Coflows and flows of real applications: registered, added and ended while a replay runs, in the plan's own tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from testbed.coflow import ENDLESS, NONE, CoflowTable, FlowTable
from testbed.growth import with_coflows, with_flows
from testbed.plan import Plan
from testbed.replay.actor_link import ActorLink
from testbed.replay.decisions import Decisions
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger
from testbed.replay.places import Places, RefusedError
from testbed.replay.said import check
from testbed.rules.flow_key import FlowKey
from testbed.topology.routing import paths

MOST_FLOWS = 20_000
"""Flows that applications may add in one run: each has a row in every table."""
MOST_COFLOWS = 5_000
"""Coflows that applications may register in one run."""
MOST_BYTES = 10**15
"""Size that a flow may state."""


@dataclass
class _Coflow:
    """A registered coflow. It has a row in the plan from its first flow on."""

    owner: tuple[int, int]
    weight: float
    deadline_s: float
    width: int
    registered: bool = True
    added: int = 0
    unfinished: int = 0
    waiting: list[int] = field(default_factory=list)
    """Flows that wait until all `width` of them have come."""


@dataclass(frozen=True)
class _Added:
    """A flow that is to have a row."""

    link: ActorLink
    application: int
    request: int
    coflow: int
    src: int
    dst: int
    via: int
    size: int
    key: FlowKey


class Injection:
    """Answers the requests of applications, and has the run's tables grow by what they add.

    `on_grown` is given the plan with further rows, before these are used, and the connections of the further flows.
    Nothing that an application says can end a run: what is wrong is its own answer.
    """

    def __init__(
        self,
        plan: Plan,
        clairvoyant: bool,
        ledger: Ledger,
        decisions: Decisions,
        control: FlowControl,
        congestion: str,
        on_grown: Callable[[Plan, list[FlowKey]], None],
    ) -> None:
        self._plan = plan
        self._clairvoyant = clairvoyant
        self._ledger = ledger
        self._decisions = decisions
        self._control = control
        self._congestion = congestion
        self._on_grown = on_grown
        self._places = Places(plan)
        self._first_id = int(plan.coflows.coflow.max(initial=-1)) + 1
        self._first_flow = len(plan.flows)
        self._coflows: dict[int, _Coflow] = {}
        self._owner: dict[int, tuple[int, int]] = {}
        """Flow -> host and application."""
        self._coming: list[_Added] = []
        self._early: list[tuple[ActorLink, list[tuple[int, dict[str, Any]]]]] | None = []
        """What came before the start instant, to be heard then."""
        self._closed = False
        self.coflows_done = 0
        self._requests: dict[str, Callable[[ActorLink, int, Mapping[str, Any]], dict[str, Any] | None]] = {
            "hello": self._hello,
            "register": self._register,
            "join": self._join,
            "unregister": self._unregister,
            "route": self._route,
            "add": self._add,
        }

    def begin(self) -> None:
        """The start instant has come."""
        early, self._early = self._early or [], None
        for link, rows in early:
            self.hear(link, rows)

    def close(self) -> None:
        """The last flow has finished: no more are taken."""
        self._closed = True
        self.begin()

    def hear(self, link: ActorLink, rows: list[tuple[int, dict[str, Any]]]) -> None:
        """Take in what applications of one host ask, and what its actor says of their flows and their ends.

        Nothing is answered before the start instant: an application that comes earlier waits for it.
        """
        if self._early is not None:
            self._early.append((link, rows))
            return
        for application, message in rows:
            operation = message.get("op")
            if operation == "over":
                self._over((link.number, application), message)
            elif operation == "gone":
                self._gone((link.number, application))
            else:
                self._answer(link, application, message)
        if self._coming:
            self._admit()

    def _answer(self, link: ActorLink, application: int, message: Mapping[str, Any]) -> None:
        operation = message.get("op")
        try:
            if not isinstance(operation, str) or operation not in self._requests:
                raise RefusedError(
                    f"unknown op {operation!r:.60}; known: {', '.join(sorted(self._requests))}, finish, wrote"
                )
            answer = self._requests[operation](link, application, message)
        except RefusedError as refusal:
            answer = {"error": str(refusal)}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            answer = {"error": f"op {operation!r:.60}: {type(error).__name__}: {error}"[:200]}
        if answer is not None:
            _reply(link, application, int(message["request"]), answer)

    # -- requests ----------------------------------------------------------------------------------------------------

    def _hello(self, link: ActorLink, _application: int, _message: Mapping[str, Any]) -> dict[str, Any]:
        addresses = [address.primary for address in self._plan.addresses]
        return {"host": link.number, "hosts": len(addresses), "addresses": addresses}

    def _register(self, link: ActorLink, application: int, message: Mapping[str, Any]) -> dict[str, Any]:
        if len(self._coflows) >= MOST_COFLOWS:
            raise RefusedError(f"this run has {MOST_COFLOWS} coflows of applications already; that is the most")
        deadline, width = message.get("deadline"), message.get("width")
        number = self._first_id + len(self._coflows)
        self._coflows[number] = _Coflow(
            (link.number, application),
            _positive("weight", message.get("weight", 1.0), 1e9),
            np.nan if deadline is None else _positive("deadline", deadline, 1e9),
            0 if width is None else _whole("width", width, MOST_FLOWS),
        )
        return {"coflow": number}

    def _join(self, _link: ActorLink, _application: int, message: Mapping[str, Any]) -> dict[str, Any]:
        self._registered(message["coflow"])
        return {}

    def _unregister(self, _link: ActorLink, _application: int, message: Mapping[str, Any]) -> dict[str, Any]:
        self._end(self._registered(message["coflow"]))
        return {}

    def _route(self, link: ActorLink, _application: int, message: Mapping[str, Any]) -> dict[str, Any]:
        self._check_flow(message)
        own, peer = self._places.route(link.number, message["to"])
        return {"own": own, "peer": peer, "congestion": self._congestion}

    def _add(self, link: ActorLink, application: int, message: Mapping[str, Any]) -> None:
        coflow = self._check_flow(message)
        if len(self._owner) + len(self._coming) >= MOST_FLOWS:
            raise RefusedError(f"this run has {MOST_FLOWS} flows of applications already; that is the most")
        dst, via = self._places.of_connection(link.number, message["own"], message["peer"])
        size = ENDLESS if message["size"] is None else int(message["size"])
        key = FlowKey(message["own"], message["own_port"], message["peer"], message["peer_port"])
        self._coming.append(_Added(link, application, message["request"], coflow, link.number, dst, via, size, key))

    def _check_flow(self, message: Mapping[str, Any]) -> int:
        """The id of the flow's coflow, or NONE."""
        if self._closed:
            raise RefusedError("the run is over: no flow can be added")
        coflow, size = message["coflow"], message["size"]
        if size is not None:
            _whole("size", size, MOST_BYTES)
        if coflow is None:
            return NONE
        known = self._registered(coflow)
        if size is None and self._clairvoyant:
            raise RefusedError(
                f"scheduler {self._plan.scheduler.name} is clairvoyant: it needs to know how large each flow of a "
                "coflow is; state its size in bytes, or use a scheduler that does not need it (dclas, fair)"
            )
        if known.width and known.added >= known.width:
            raise RefusedError(f"coflow {coflow}: all {known.width} flows that its width states have been added")
        return int(coflow)

    def _registered(self, number: Any) -> _Coflow:
        known = self._coflows.get(number) if isinstance(number, int) else None
        if known is None:
            raise RefusedError(f"coflow {number!r:.30}: no application has registered it in this run")
        if not known.registered:
            raise RefusedError(f"coflow {number}: it was unregistered, or the program that had registered it has ended")
        return known

    # -- rows --------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Give the flows that have come their rows, answer, and have the scheduler asked about them."""
        coming, self._coming = self._coming, []
        now_ns = time.monotonic_ns()
        now_s = self._ledger.seconds(now_ns)
        first = len(self._plan.flows)
        arriving = list(
            dict.fromkeys(a.coflow for a in coming if a.coflow != NONE and not self._coflows[a.coflow].added)
        )
        plan = with_coflows(self._plan, self._coflow_rows(arriving, now_s)) if arriving else self._plan
        self._plan = plan = with_flows(plan, self._flow_rows(coming, now_s))
        self._on_grown(plan, [added.key for added in coming])
        begun: list[int] = []
        for flow, added in enumerate(coming, first):
            self._owner[flow] = (added.link.number, added.application)
            _reply(added.link, added.application, added.request, {"flow": flow})
            begun += self._counted(flow, added.coflow)
        self._begin(begun, now_ns)

    def _counted(self, flow: int, number: int) -> list[int]:
        """Count a flow in its coflow; the flows that may begin now."""
        if number == NONE:
            return [flow]
        coflow = self._coflows[number]
        coflow.added += 1
        coflow.unfinished += 1
        coflow.waiting.append(flow)
        if coflow.added < coflow.width:
            return []
        begun, coflow.waiting = coflow.waiting, []
        return begun

    def _begin(self, flows: list[int], now_ns: int) -> None:
        if not flows:
            return
        self._ledger.begun[flows] = True
        free = [flow for flow in flows if not (self._decisions.holds_starts and self._decisions.registered[flow])]
        self._control.start(free, [now_ns] * len(free))
        self._control.flush()
        self._ledger.allowed_s[free] = self._ledger.outcome.planned_start_s[free]
        self._decisions.injected(sorted(set(flows) - set(free)))

    def _coflow_rows(self, numbers: list[int], now_s: float) -> CoflowTable:
        coflows = [self._coflows[number] for number in numbers]
        return CoflowTable(
            coflow=np.array(numbers, dtype=np.int64),
            arrival_s=np.full(len(numbers), now_s),
            weight=np.array([coflow.weight for coflow in coflows], dtype=np.float64),
            deadline_s=np.array([coflow.deadline_s for coflow in coflows], dtype=np.float64),
        )

    def _flow_rows(self, added: list[_Added], now_s: float) -> FlowTable:
        src, dst, via = (np.array([getattr(a, end) for a in added], dtype=np.int64) for end in ("src", "dst", "via"))
        path_ptr, path_links = paths(self._plan.fabric, src, dst, via)
        coflow = np.array([a.coflow for a in added], dtype=np.int64)
        return FlowTable(
            coflow=coflow,
            label=coflow,
            src=src,
            dst=dst,
            bytes=np.array([a.size for a in added], dtype=np.int64),
            start_s=np.full(len(added), now_s),
            via=via,
            path_ptr=path_ptr,
            path_links=path_links,
        )

    # -- ends --------------------------------------------------------------------------------------------------------

    def _over(self, owner: tuple[int, int], report: Mapping[str, Any]) -> None:
        """A flow is over: finished, or ended where it was. ValueError where it is not, or no longer, the owner's."""
        ledger, flow = self._ledger, report["flow"]
        if self._owner.get(flow) != owner or ledger.confirmed[flow]:
            raise ValueError(f"flow {flow!r:.30} is none of application {owner[1]}")
        check("done", [[flow, report["sent"], False, *report["tcp"]]], len(self._plan.flows))
        check("finished", [[flow, report["first_ns"], report["last_ns"], report["delivered"]]], len(self._plan.flows))
        delivered, reason = report["delivered"], str(report["reason"])
        if ledger.size[flow] >= ENDLESS:
            ledger.resize(flow, delivered if not reason else int(report["sent"]))
        elif not reason and delivered != ledger.size[flow]:
            reason = f"the application ended it after {delivered} of {ledger.size[flow]} bytes"
        finished = not reason and not ledger.over[flow]
        if finished:
            ledger.last_byte(flow, report["first_ns"], report["last_ns"], delivered)
        else:
            ledger.end_seen(flow, report["first_ns"], delivered)
            if not ledger.over[flow]:
                ledger.drop(flow, reason)
        ledger.sender_done(flow, int(report["sent"]), tuple(report["tcp"]))
        number = int(self._plan.flows.coflow[flow])
        done = False
        if number in self._coflows:
            coflow = self._coflows[number]
            coflow.unfinished -= 1
            if flow in coflow.waiting:
                coflow.waiting.remove(flow)
            done = self._is_done(coflow)
        self._decisions.event(("coflow-finished" if done else "flow-finished") if finished else "cut")

    def _is_done(self, coflow: _Coflow) -> bool:
        done = not coflow.registered and not coflow.unfinished and bool(coflow.added)
        self.coflows_done += done
        return done

    def _end(self, coflow: _Coflow) -> None:
        coflow.registered = False
        waiting, coflow.waiting = coflow.waiting, []
        self._begin(waiting, time.monotonic_ns())  # no more will come to wait for
        self._is_done(coflow)

    def _gone(self, owner: tuple[int, int]) -> None:
        """An application's connection has ended: so have the coflows that it had registered."""
        for coflow in self._coflows.values():
            if coflow.owner == owner and coflow.registered:
                self._end(coflow)


def _reply(link: ActorLink, application: int, request: int, answer: dict[str, Any]) -> None:
    link.tell({"op": "reply", "application": application, "message": {"answer": request, **answer}})


def _positive(what: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise RefusedError(f"{what}: expected a number above 0 and at most {most:g}, found {value!r:.40}")
    return float(value)


def _whole(what: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise RefusedError(f"{what}: expected a whole number from 1 to {most}, found {value!r:.40}")
    return value
