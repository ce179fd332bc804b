"""Makes a scheduler's view from flat state: labels only, and no sizes for a scheduler that may not see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import NONE, Floats, FlowTable, Ints
from testbed.errors import SchedulerError
from testbed.plan import Plan
from testbed.scheduling.base import Scheduler, View
from testbed.scheduling.gammas import gammas_by_id


class ViewBuilder:
    """Views of one plan for one scheduler. Both back ends build theirs here, so both hide the same things.

    `label_row` (per flow: the row in plan.coflows of the coflow that the scheduler is told, or -1) is what counts as
    registered: flows under the scheduler's minimum size have none. `coflow_size`, `coflow_length` and `coflow_gamma_s`
    are per row of plan.coflows, of the flows so labelled; 0 for a scheduler that is not clairvoyant.
    """

    def __init__(self, plan: Plan, scheduler: Scheduler) -> None:
        flows, coflows = plan.flows, plan.coflows
        self.plan = plan
        self.clairvoyant = scheduler.clairvoyant
        self._size = flows.bytes.astype(np.float64)
        label = told_labels(flows, scheduler)
        self.label_row = _rows_of(coflows.coflow, label)
        rows = len(coflows)
        known = self.label_row >= 0
        self.coflow_size = np.zeros(rows)
        self.coflow_length = np.zeros(rows)
        self.coflow_gamma_s = np.zeros(rows)
        if self.clairvoyant:
            self.coflow_size = _sums(self.label_row[known], self._size[known], rows)
            np.maximum.at(self.coflow_length, self.label_row[known], self._size[known])
            self.coflow_gamma_s = gammas_by_id(plan, label)

    def build(
        self,
        now_s: float,
        active: Ints,
        received: Floats,
        started: NDArray[np.bool_],
        arrival_s: Floats,
        capacity_Bps: Floats | None = None,
    ) -> View:
        """The view at `now_s`.

        `active`: ids of the flows that have started and not ended, in any order. `received`: bytes received so far,
        per flow of the plan, as the scheduler may know them. `started`: which flows have started, ended ones
        included. `arrival_s`: per row of plan.coflows, what came true for coflows that start after others.
        `capacity_Bps`: goodput per link where it is not the fabric's own (failed links have 0).
        """
        n_rows = len(self.plan.coflows)
        registered = started & (self.label_row >= 0)
        width = np.bincount(self.label_row[registered], minlength=n_rows)
        coflow_received = _sums(self.label_row[registered], received[registered], n_rows)
        return self.restore(now_s, active, received, coflow_received, width, arrival_s, capacity_Bps)

    def restore(
        self,
        now_s: float,
        active: Ints,
        received: Floats,
        coflow_received: Floats,
        coflow_width: Ints,
        arrival_s: Floats,
        capacity_Bps: Floats | None = None,
    ) -> View:
        """As `build`, where bytes received and registered flows are known per row of plan.coflows: from a log."""
        flows, coflows = self.plan.flows, self.plan.coflows
        n_rows = len(coflows)
        present = np.unique(self.label_row[active])
        present = present[present >= 0]
        present = present[np.lexsort((coflows.coflow[present], arrival_s[present]))]
        place = np.full(n_rows + 1, NONE, dtype=np.int64)  # the last entry answers for flows without a label
        place[present] = np.arange(len(present))
        flow_coflow = place[self.label_row[active]]
        key = np.where(flow_coflow >= 0, flow_coflow, len(present))
        order = np.lexsort((active, flows.dst[active], flows.src[active], key))
        flow, flow_coflow = active[order], flow_coflow[order]
        path_ptr, path_links = gather_paths(flows.path_ptr, flows.path_links, flow)
        return View(
            now_s=now_s,
            capacity_Bps=self.plan.fabric.capacity_Bps if capacity_Bps is None else capacity_Bps,
            coflow=coflows.coflow[present],
            arrival_s=arrival_s[present],
            weight=coflows.weight[present],
            deadline_s=coflows.deadline_s[present],
            coflow_received=coflow_received[present],
            coflow_width=coflow_width[present],
            flow=flow,
            flow_coflow=flow_coflow,
            src=flows.src[flow],
            dst=flows.dst[flow],
            received=received[flow],
            path_ptr=path_ptr,
            path_links=path_links,
            remaining=np.maximum(self._size[flow] - received[flow], 0.0) if self.clairvoyant else None,
            size=self._size[flow] if self.clairvoyant else None,
            coflow_size=self.coflow_size[present] if self.clairvoyant else None,
            coflow_length=self.coflow_length[present] if self.clairvoyant else None,
            coflow_gamma_s=self.coflow_gamma_s[present] if self.clairvoyant else None,
        )


def told_labels(flows: FlowTable, scheduler: Scheduler) -> Ints:
    """Per flow, the coflow id that a scheduler is told: NONE also for flows under its minimum size."""
    return np.where(flows.bytes >= scheduler.minimum_size, flows.label, NONE)


def gather_paths(path_ptr: Ints, path_links: Ints, flows: Ints) -> tuple[Ints, Ints]:
    """The CSR paths of the chosen flows, in their order."""
    begin, length = path_ptr[flows], path_ptr[flows + 1] - path_ptr[flows]
    pointers = np.zeros(len(flows) + 1, dtype=np.int64)
    np.cumsum(length, out=pointers[1:])
    within = np.arange(pointers[-1]) - np.repeat(pointers[:-1], length)
    return pointers, path_links[np.repeat(begin, length) + within]


def _sums(rows: Ints, amount: Floats, n_rows: int) -> Floats:
    return np.bincount(rows, amount, minlength=n_rows).astype(np.float64)


def _rows_of(ids: Ints, label: Ints) -> Ints:
    """Per flow, the row of its label in `ids`, or -1 for none."""
    rank = np.argsort(ids, kind="stable")
    row = np.full(len(label), NONE, dtype=np.int64)
    labelled = np.flatnonzero(label != NONE)
    wrong = labelled[~np.isin(label[labelled], ids)]
    if len(wrong):
        flow = int(wrong[0])
        raise SchedulerError(
            f"flow {flow}: its label is {int(label[flow])}, which is no coflow of the plan; "
            "expected the id of a coflow in the workload, or none"
        )
    row[labelled] = rank[np.searchsorted(ids[rank], label[labelled])]
    return row
