"""What faults do to the flows of a run: which stand still, which are gone, and which way the others take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from testbed.coflow import Floats, Ints
from testbed.faults import Condition, Fault, Flags, killed_words, standing_words
from testbed.plan import Plan
from testbed.topology.rerouting import reroute


class Broken:
    """The condition of the network so far, and what follows from it per flow. Switches know at once."""

    def __init__(self, plan: Plan) -> None:
        self.condition = Condition()
        self.plan = plan
        """With the paths that flows take now."""
        self.standing: Flags = np.zeros(len(plan.flows), dtype=np.bool_)
        """No path is left, or a host is paused: the flow waits at rate 0."""
        self.killed: Flags = self.standing.copy()
        """A host of it was killed: it never finishes."""
        self._happened: list[tuple[float, str]] = []

    def happens(self, fault: Fault) -> None:
        """Take in a further fault; `lay_out` then says what follows."""
        self.condition = self.condition.after(fault)
        self._happened.append((fault.at_s, fault.words))

    def lay_out(self, plan: Plan) -> None:
        """Work out paths and flags for the flows of a plan, planned and injected."""
        fabric, flows = plan.fabric, plan.flows
        if not self.condition.faults:
            self.plan, self.standing = plan, np.zeros(len(flows), dtype=np.bool_)
            self.killed = self.standing.copy()
            return
        path_ptr, path_links, cut_off = reroute(fabric, flows, self.condition.usable(fabric))
        paused, self.killed = self.condition.held_back(fabric, flows)
        self.standing = cut_off | paused
        self.plan = replace(plan, flows=replace(flows, path_ptr=path_ptr, path_links=path_links))

    @property
    def capacity_now_Bps(self) -> Floats | None:
        """Per link; None as long as nothing has happened."""
        return self.condition.capacity_Bps(self.plan.fabric) if self.condition.faults else None

    def capacity_Bps(self, before: Floats, last: Condition) -> Floats:
        """The capacities before, with those of links that are in another condition than last."""
        now, then = (condition.capacity_Bps(self.plan.fabric) for condition in (self.condition, last))
        return np.where(now != then, now, before)

    def why_killed(self, flow: int) -> str:
        """Why a flow never finishes, in words."""
        flows = self.plan.flows
        return killed_words(self.plan.fabric, self.condition, int(flows.src[flow]), int(flows.dst[flow]))

    def why_standing(self, flow: int) -> str:
        """Why a flow stands still, in words."""
        flows = self.plan.flows
        return standing_words(self.plan.fabric, self.condition, int(flows.src[flow]), int(flows.dst[flow]))

    def moving(self, flows: Ints) -> Ints:
        """Those of the flows that do not stand still."""
        return flows[~self.standing[flows]]

    def table(self) -> pd.DataFrame:
        """What happened, as the records have it: routes change at the very instant here."""
        return fault_table([(at_s, at_s, words, 0.0) for at_s, words in self._happened])


def fault_table(rows: list[tuple[float, float, str, float]]) -> pd.DataFrame:
    """The sample `faults`: one row per fault that happened."""
    return pd.DataFrame(rows, columns=["planned_s", "at_s", "fault", "routed_s"])
