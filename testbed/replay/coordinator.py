"""The coordinator: replays a plan across the actors, and runs its scheduler on what happens."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from testbed.actor.grain import coarse_grain_ns
from testbed.coflow import Ints
from testbed.errors import ReplayError
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.actor_link import ActorLink, Connect
from testbed.replay.arrivals import Arrivals
from testbed.replay.aside import Aside
from testbed.replay.crew import Crew
from testbed.replay.decentralised import Decentralised
from testbed.replay.decisions import Decisions
from testbed.replay.edge_control import ChangeEdges, EdgeControl
from testbed.replay.enforcement.base import Reach
from testbed.replay.enforcement.pacing import pacing_share
from testbed.replay.enforcement.registry import make_enforcers
from testbed.replay.fault_control import Injector
from testbed.replay.faults import Faults
from testbed.replay.flow_control import FlowControl
from testbed.replay.injection import Injection
from testbed.replay.lateness import ActorLateness
from testbed.replay.ledger import Ledger
from testbed.replay.onlooker import Standing
from testbed.replay.programs import APPLICATION_FOLDER, Programs
from testbed.replay.progress import Progress
from testbed.replay.reports import Reports
from testbed.replay.setup import Connections, IdleProbe, flow_words
from testbed.replay.starting import Starting
from testbed.rules.flow_key import FlowKey
from testbed.scheduling.base import Scheduler

DELTA_S = 0.01
"""How often actors report bytes received, for a scheduler that does not say (`sync_s`) ..."""
_REPORTS_PER_S = 1600
"""... unless all together would say more than this: the coordinator has one processor at most."""
_IDLE_DELTA_S = 0.2
"""The same where nothing is enforced: it is for the display only."""
_LEAST_DELTA_S = 0.005

_BEFORE_START_NS = 100_000_000
_BEFORE_START_PER_FLOW_NS = 50_000
_DRAIN_S = 10.0
_LAST_WORDS_S = 0.5
_LOOK_NS = 500_000_000
_STALL_S = 130.0
"""TCP tries again after two minutes at the latest; longer than that nothing is silent that still moves."""


class Coordinator:
    """One replay, from reaching the actors to leaving them; `outcome` tells at any time how far it has come."""

    def __init__(
        self,
        plan: Plan,
        sockets: Sequence[Path | str],
        scheduler: Scheduler,
        port: int,
        congestion: str,
        delta_s: float | None,
        connect: Connect,
        change_edges: ChangeEdges | None = None,
        application_folder: str = APPLICATION_FOLDER,
        logs: Path | None = None,
        injector: Injector | None = None,
    ) -> None:
        _check(plan)
        self._plan = plan
        self._crew = Crew([host.name for host in plan.fabric.hosts], list(map(str, sockets)), self._hear, connect)
        self._loop = self._crew.loop
        self._ledger = Ledger(plan)
        enforcing_s = max(DELTA_S, len(plan.fabric.hosts) / _REPORTS_PER_S)
        patience_ns = coarse_grain_ns(round(enforcing_s * 1e9))
        self._control = FlowControl(self._crew.links, plan.flows.src, spread_ns=patience_ns)
        self._connections = Connections(plan, self._crew, port, congestion)
        self._edges = change_edges and EdgeControl(plan, self._loop, self._connections, change_edges)
        self._enforcers = make_enforcers(Reach(plan, self._control, self._edges))
        self._decisions = Decisions(
            plan,
            scheduler,
            self._ledger,
            self._control,
            self._enforcers,
            self._loop,
            self._give_up_flows,
            self._edges,
            patience_ns=patience_ns,
        )
        self._faults = Faults(plan, self._loop, self._crew, self._ledger, self._control, self._decisions, injector)
        self._probe = IdleProbe(plan, self._crew, port)
        self._lateness = ActorLateness(self._crew)
        self._alone = Decentralised(plan, scheduler, self._crew, self._ledger) if plan.control == "none" else None
        needed_s = enforcing_s if self._decisions.holds_starts else _IDLE_DELTA_S
        self._delta_s = max(delta_s or scheduler.sync_s or needed_s, _LEAST_DELTA_S)
        arrivals = Arrivals(plan)
        self._starting = Starting(arrivals.planned, self._crew, self._ledger, self._control, self._decisions)
        self._phases_s: dict[str, float] = {}
        self._cpu: list[tuple[float, str, float]] = []
        self._last_bytes: tuple[float, float] = (0.0, 0.0)
        self._moved: tuple[float, float] = (0.0, 0.0)
        self._longest_stall_s = 0.0
        self._programs = Programs(plan.applications, self._crew, application_folder, logs)
        self._injection = Injection(
            plan, scheduler.clairvoyant, self._ledger, self._decisions, self._control, congestion, self._extend
        )
        self._reports = Reports(
            plan,
            self._crew,
            self._ledger,
            arrivals,
            self._decisions,
            self._connections,
            self._probe,
            self._starting.later,
            {
                "applications": self._injection.hear,
                "output": self._programs.on_output,
                "exited": self._programs.on_exited,
                "lateness": self._lateness.on_lateness,
                **({} if self._alone is None else self._alone.handlers),
            },
        )

    # -- the run, phase by phase -------------------------------------------------------------------------------------

    def prepare(self, probe: bool) -> None:
        """All that comes before the clock: actors greeted, flows connected, the idle network probed."""
        with self._phase("connect"):
            self._crew.gather()
        self._crew.watch()
        with self._phase("open"):
            self._connections.listen()
            self._connections.open()
        if probe:
            with self._phase("probe"):
                self._probe.measure("before")
        with self._phase("rehearse"):
            self._decisions.rehearse()
        self._lateness.begin()

    def run(self, deadline_s: float | None, aside: Aside) -> None:
        """The replay itself: returns when every flow that has an end has come to it. `aside` runs beside it."""
        before_ns = _BEFORE_START_NS + _BEFORE_START_PER_FLOW_NS * len(self._plan.flows)
        self._ledger.start_ns = time.monotonic_ns() + before_ns
        if self._alone is not None:
            self._decisions.close()
            self._starting.forget()
            self._alone.hand_out()
        else:
            self._hand_out_unheld()
        self._programs.start(self._ledger.start_ns)
        self._faults.begin(self._ledger.start_ns)
        self._loop.call_at(self._ledger.start_ns, self._injection.begin)
        self._loop.call_at(self._ledger.start_ns, lambda: self._look(self._ledger.start_ns))

        def failed_aside(_: int) -> None:
            self._loop.forget(aside.descriptor)
            aside.raise_error()

        self._loop.watch(aside.descriptor, select.EPOLLIN, failed_aside)
        aside.start()
        limit_s = np.inf if deadline_s is None else deadline_s + before_ns / 1e9
        with self._phase("replay"):
            self._crew.until(self._is_over, limit_s, self._what_is_left)
        self._loop.forget(aside.descriptor)

    def _hand_out_unheld(self) -> None:
        """What needs no decision goes to the actors before the clock starts; the rest comes when its instant does."""
        self._crew.tell_all({"op": "progress", "every_ns": round(self._delta_s * 1e9)})
        self._starting.hand_out()
        if self._edges is not None:
            self._edges.flush(self._ledger.over)
        self._control.flush()
        self._starting.begin()

    def drain(self, probe: bool) -> None:
        """After the last finish: endless flows are cut, and every sender's own count is waited for."""
        ledger = self._ledger
        self._injection.close()
        with self._phase("drain"):
            self._faults.end()
            left = np.flatnonzero(~ledger.over)
            for flow in left.tolist():
                ledger.drop(flow, "cut" if ledger.begun[flow] else "not started: what it waits for did not finish")
            self._control.cut(left.tolist())
            self._control.flush()
            self._crew.until(lambda: bool(np.all(ledger.closed & ledger.confirmed)), _DRAIN_S, self._what_is_open)
            self._lateness.end()
        if probe and self._faults.is_whole:
            with self._phase("probe"):
                self._probe.measure("after")
        self._programs.check()

    def give_up(self, error: BaseException) -> None:
        """Stop all flows where they are, and ask each actor that is left how far its flows came."""
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        for flow in np.flatnonzero(~self._ledger.over).tolist():
            self._ledger.drop(flow, reason)
        self._crew.tolerant = True
        self._decisions.close()
        self._crew.tell_all({"op": "stop"})
        left = sum(link.ready and link.open for link in self._crew.links)
        self._crew.until(
            lambda: self._reports.stopped >= left, _LAST_WORDS_S, lambda: "not every actor said how far it came"
        )

    def close(self) -> None:
        """Leave the actors, and the edge as it is."""
        if self._edges is not None:
            self._edges.close()
        self._faults.close()
        self._crew.close()

    # -- what the caller may ask from another thread -----------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Seconds since the start instant."""
        return self._ledger.seconds(time.monotonic_ns())

    def progress(self) -> Progress:
        """How far the replay has come."""
        ledger, elapsed_s = self._ledger, self.elapsed_s()
        with ledger.growing:
            received = float(ledger.received[ledger.finite].sum())
            size = int(ledger.size[ledger.finite].sum())
            over, active = int(np.count_nonzero(ledger.over)), int(np.count_nonzero(ledger.active))
        before_s, before = self._last_bytes
        self._last_bytes = (elapsed_s, received)
        return Progress(
            elapsed_s=elapsed_s,
            coflows_done=self._reports.coflows_done + self._injection.coflows_done,
            coflows=len(self._plan.coflows),
            flows_done=over,
            flows=len(self._plan.flows),
            active_flows=active,
            bytes_done=int(received),
            bytes=size,
            rate_Bps=(received - before) / max(elapsed_s - before_s, 1e-3),
        )

    def standing(self) -> Standing:
        """How every flow stands, for an onlooker."""
        return Standing.of(self._plan, self._ledger, self.elapsed_s(), self._faults.happened)

    def outcome(self) -> Outcome:
        """What has happened so far."""
        outcome = self._ledger.outcome
        outcome.samples.update(self._ledger.tables())
        outcome.samples["cpu"] = pd.DataFrame(self._cpu, columns=["at_s", "host", "cpu_s"])
        outcome.samples["probe"] = self._probe.table()
        outcome.samples["lateness"] = self._lateness.table()
        sent, received = self._crew.traffic()
        pings = [ping for link in self._crew.links for ping in link.ping_s]
        outcome.facts.update(
            control=self._plan.control,
            control_sent_bytes=sent,
            control_received_bytes=received,
            control_rtt_s=float(np.median(pings)) if pings else None,
            control_rtt_max_s=max(pings, default=None),
            progress_every_s=self._delta_s,
            coordinator_stall_max_s=self._longest_stall_s,
            pacing_share=pacing_share(self._plan),
            start_monotonic_ns=self._ledger.start_ns,
            phases_s=dict(self._phases_s),
            probe_lost=self._probe.lost,
        )
        for enforcer in self._enforcers:
            outcome.facts.update(enforcer.facts())
        if self._edges is not None and self._edges.installs:
            outcome.facts["edge"] = self._edges.facts()
            outcome.samples["edge"] = self._edges.table(self._ledger.start_ns)
        self._faults.add_to(outcome)
        if self._plan.applications.programs:
            outcome.facts["applications"] = self._programs.facts()
        return outcome

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _hear(self, link: ActorLink, message: dict[str, Any]) -> None:
        self._reports.hear(link, message)

    def _extend(self, plan: Plan, keys: list[FlowKey]) -> None:
        """Applications have added flows: everyone's tables grow."""
        self._plan = plan
        self._ledger.extend(plan)
        self._control.extend(plan.flows.src)
        self._connections.extend(plan, keys)
        self._reports.extend(plan)
        if self._edges is not None:
            self._edges.extend(plan)
        self._decisions.extend(Reach(plan, self._control, self._edges))
        self._faults.extend(plan)

    def _give_up_flows(self, flows: Ints, reason: str) -> None:
        """The scheduler refuses these flows, or cuts them short."""
        for flow in flows.tolist():
            self._ledger.drop(flow, reason)
        self._control.cut(flows.tolist())

    def _is_over(self) -> bool:
        if self._alone is not None:
            return self._alone.over
        ledger = self._ledger
        if self._programs.running:
            return False
        moving = ledger.begun & ~ledger.over & ledger.finite
        if not self._faults.pending:
            moving &= ~ledger.standing  # for good
        return not (self._starting.pending or moving.any())

    def _look(self, due_ns: int) -> None:
        """Every so often: note CPU times, and see that bytes still move and that this loop has its turns."""
        now_s = self.elapsed_s()
        self._longest_stall_s = max(self._longest_stall_s, now_s - self._ledger.seconds(due_ns))
        self._cpu += [(now_s, link.host, link.cpu_s) for link in self._crew.links]
        self._cpu.append((now_s, "coordinator", time.process_time()))
        received = float(self._ledger.received.sum())
        if (
            self._alone is not None
            or received != self._moved[1]
            or self._starting.pending
            or self._decisions.asked_for
            or self._programs.running
            or self._faults.pending
        ):
            self._moved = (now_s, received)
        elif now_s - self._moved[0] > _STALL_S:
            raise ReplayError(f"no byte has arrived for {_STALL_S:g} s: {self._what_is_left()}")
        due_ns = time.monotonic_ns() + _LOOK_NS
        self._loop.call_at(due_ns, lambda: self._look(due_ns))

    def _what_is_left(self) -> str:
        left = np.flatnonzero(self._ledger.finite & ~self._ledger.over)
        if not len(left):
            return "all flows have finished"
        flow = int(left[0])
        received, size = int(self._ledger.received[flow]), self._ledger.size[flow]
        first = f"{flow_words(self._plan, flow)} has {received} of {size} bytes"
        return f"{len(left)} of {len(self._plan.flows)} flows have not finished, the first of them {first}"

    def _what_is_open(self) -> str:
        flow = int(np.flatnonzero(~(self._ledger.closed & self._ledger.confirmed))[0])
        side = "sender" if self._ledger.closed[flow] else "receiver"
        return f"{flow_words(self._plan, flow)}: its {side} has not confirmed the end"

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._phases_s[name] = self._phases_s.get(name, 0.0) + time.monotonic() - began


def _check(plan: Plan) -> None:
    empty = np.flatnonzero(plan.flows.bytes <= 0)
    if len(empty):
        flow = int(empty[0])
        raise ReplayError(f"{flow_words(plan, flow)}: it has {plan.flows.bytes[flow]} bytes; expected 1 or more")
