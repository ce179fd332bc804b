"""Priority classes on every host and switch port; each flow's packets are marked with its class.

The senders mark them, or from outside the edge of the network does, for applications that know nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from testbed.coflow import NONE, Floats, Ints
from testbed.errors import ReplayError
from testbed.replay.enforcement.base import Enforcer, Reach
from testbed.replay.enforcement.steady import NOWHERE, steady
from testbed.scheduling.base import Allocation, View
from testbed.scheduling.classes import CLASSES, classes
from testbed.scheduling.registry import make
from testbed.scheduling.sharing import sharing_of
from testbed.scheduling.view import told_labels


class Queue(Enforcer):
    """Class k is DSCP k. What carries no mark, acknowledgements above all, is in class 0 and cannot starve.

    Under strict priority a flow keeps its class while that is in order (see `steady`). Flows without a label are in the
    class that the plan states, and are marked too. The ports were given their classes when the network was made, so
    the scheduler's weights must stay what they were at its first allocation.
    """

    name: ClassVar[str] = "queue"
    holds_starts: ClassVar[bool] = True

    def __init__(self, reach: Reach) -> None:
        super().__init__(reach)
        self._sharing = sharing_of(reach.plan)
        self._paced = "pacing" in reach.plan.enforcement
        self._unordered = 0
        self._most_together = 0
        self._class: Ints = np.full(len(reach.plan.flows), NOWHERE)
        plan = reach.plan
        self._of_strangers = CLASSES - 1 if plan.unlabelled_class == "bottom" else 0
        self._strangers = False
        self._mark_strangers(0)

    def extend(self, reach: Reach) -> None:
        """See Enforcer.extend."""
        super().extend(reach)
        known = len(self._class)
        self._class = np.concatenate((self._class, np.full(len(reach.plan.flows) - known, NOWHERE)))
        self._mark_strangers(known)

    def enforce(self, view: View, allocation: Allocation) -> None:
        """Have the marks set that changed; ReplayError where the weights are not those of the ports."""
        plan = self.reach.plan
        found = classes(view, allocation, plan.unlabelled_class, plan.flows.coflow[view.flow])
        self._check_weights(view, found.weight)
        if found.weight is None:
            pinned = self._of_strangers if self._strangers else None
            self._class[view.flow] = steady(found.queue, self._class[view.flow], pinned)
        else:  # the classes are not alike
            self._class[view.flow] = found.queue
        self.reach.mark(view.flow, self._class[view.flow])
        together = _most_coflows_in_a_class(view, found.queue)
        self._unordered += together > 1
        self._most_together = max(self._most_together, together)

    def facts(self) -> dict[str, Any]:
        """The ports' classes; and how often coflows shared one, in which queues alone keep no order."""
        facts: dict[str, Any] = {
            "classes": self._sharing.words,
            "decisions_with_coflows_in_one_class": self._unordered,
            "coflows_in_one_class_max": self._most_together,
        }
        if self._unordered and not self._paced:
            facts["note"] = (
                f"in {self._unordered} decisions up to {self._most_together} coflows were in one class: inside a class "
                "flows share as TCP does, whatever order the scheduler wants; add pacing to enforce it"
            )
        return {"queue": facts}

    def _mark_strangers(self, first: int) -> None:
        """Mark the flows from a number on that the scheduler is not told of."""
        plan = self.reach.plan
        scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
        strangers = first + np.flatnonzero(told_labels(plan.flows, scheduler)[first:] == NONE)
        self._strangers |= bool(len(strangers))
        self.reach.mark(strangers, np.full(len(strangers), self._of_strangers))

    def _check_weights(self, view: View, weight: Floats | None) -> None:
        now = () if weight is None else tuple(weight.tolist())
        if now != self._sharing.weight and view.labelled:
            raise ReplayError(
                f"scheduler {self.reach.plan.scheduler.title} at {view.now_s:.3f} s: its class weights are "
                f"{now or 'none (strict)'}, those of the ports {self._sharing.weight or 'none (strict)'}; queues keep "
                "the weights of the first allocation: use pacing for a scheduler that changes them"
            )


def _most_coflows_in_a_class(view: View, queue: Any) -> int:
    """The largest number of coflows, as the scheduler knows them, with flows in one class."""
    pairs = np.unique(queue[: view.labelled] * (len(view.coflow) + 1) + view.flow_coflow[: view.labelled])
    return int(np.bincount(pairs // (len(view.coflow) + 1)).max(initial=0))
