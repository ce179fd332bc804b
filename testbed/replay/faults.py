"""What faults mean for a replay: whose silence is no error, which flows are given up, what the scheduler is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from testbed.actor.loop import Loop
from testbed.broken import Broken
from testbed.errors import ReplayError
from testbed.faults import Fault
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.crew import Crew
from testbed.replay.decisions import Decisions
from testbed.replay.fault_control import FaultControl, Injector
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger


class Faults:
    """The plan's faults in one replay. Nothing of it shows where the plan has none."""

    def __init__(
        self,
        plan: Plan,
        loop: Loop,
        crew: Crew,
        ledger: Ledger,
        control: FlowControl,
        decisions: Decisions,
        injector: Injector | None,
    ) -> None:
        if plan.faults and injector is None:
            raise ReplayError(f"the plan has {len(plan.faults)} faults, and nobody carries them out in this network")
        self._plan = plan
        self._crew = crew
        self._ledger = ledger
        self._flows = control
        self._decisions = decisions
        self._broken = Broken(plan)
        self.happened: list[Fault] = []
        """So far, in order."""
        self._control = (
            None
            if injector is None or not plan.faults
            else FaultControl(plan.faults, loop, injector, self._happening, self._routed)
        )

    @property
    def pending(self) -> bool:
        """Whether anything is still to happen."""
        return self._control is not None and self._control.pending

    @property
    def is_whole(self) -> bool:
        """Whether everything works, as far as is known."""
        return self._broken.condition.is_whole

    def begin(self, start_ns: int) -> None:
        """Have them happen by a clock that starts at this instant of CLOCK_MONOTONIC."""
        if self._control is not None:
            self._control.begin(start_ns)

    def extend(self, plan: Plan) -> None:
        """Take in the flows that the plan has beyond those known so far."""
        self._plan = plan
        if self._control is not None:
            self._lay_out()

    def end(self) -> None:
        """The replay is over: nothing more happens, and flows that stand still are not waited for."""
        if self._control is None:
            return
        self._control.stop()
        standing = self._ledger.standing
        for flow in np.flatnonzero(standing & self._ledger.begun & ~self._ledger.over).tolist():
            self._ledger.drop(flow, self._broken.why_standing(flow))
        self._flows.cut(np.flatnonzero(standing).tolist())
        self._ledger.lose(np.flatnonzero(standing))

    def add_to(self, outcome: Outcome) -> None:
        """Put what happened into an outcome."""
        if self._control is None:
            return
        self._ledger.lose(np.flatnonzero(self._broken.killed | self._broken.standing))  # with what was heard since
        table = self._control.table(self._ledger.start_ns)
        outcome.samples["faults"] = table
        facts: dict[str, Any] = {"happened": len(table), "planned": len(self._plan.faults)}
        if len(table):
            facts["routed_max_s"] = float(table["routed_s"].max())
            facts["late_max_s"] = float((table["at_s"] - table["planned_s"]).max())
        outcome.facts["faults"] = facts

    def close(self) -> None:
        """End; may be called again."""
        if self._control is not None:
            self._control.close()

    def _happening(self, faults: Sequence[Fault]) -> None:
        """Whoever falls silent now does so on purpose."""
        self._crew.excused |= {fault.nodes[0] for fault in faults if fault.event in ("pause", "kill")}

    def _routed(self, faults: Sequence[Fault]) -> None:
        self.happened += faults
        for fault in faults:
            self._broken.happens(fault)
            if fault.event == "resume":
                self._crew.expect(fault.nodes[0])
        self._lay_out()
        killed = self._broken.killed
        for flow in np.flatnonzero(killed & ~self._ledger.over).tolist():
            self._ledger.drop(flow, self._broken.why_killed(flow))
            self._flows.cut([flow])
        self._ledger.lose(np.flatnonzero(killed))
        self._flows.flush()
        self._decisions.event("fault")

    def _lay_out(self) -> None:
        self._broken.lay_out(self._plan)
        self._ledger.standing = self._broken.standing
        self._decisions.network(self._broken)
