"""When coflows are complete: the one definition of a coflow's finish, for records and for checks."""

from __future__ import annotations

import numpy as np

from testbed.coflow import NONE, CoflowTable, Floats, FlowTable, Ints


def coflow_rows(coflows: CoflowTable, flows: FlowTable) -> Ints:
    """Per flow the row of its true coflow in `coflows`, or -1 for background."""
    rows = np.full(len(flows), -1, dtype=np.int64)
    mine = flows.coflow != NONE
    order = np.argsort(coflows.coflow)
    rows[mine] = order[np.searchsorted(coflows.coflow[order], flows.coflow[mine])]
    return rows


def coflow_finish_s(coflows: CoflowTable, flows: FlowTable, flow_finish_s: Floats) -> Floats:
    """Per coflow the last finish of its flows; NaN unless every one of them finished."""
    rows = coflow_rows(coflows, flows)
    finish = np.full(len(coflows), -np.inf)
    with np.errstate(invalid="ignore"):  # the NaN of one flow spreads to its coflow
        np.maximum.at(finish, rows[rows >= 0], flow_finish_s[rows >= 0])
    return np.where(np.isneginf(finish), np.nan, finish)
