"""Plans that grow while they run: flows and coflows injected by a program, behind those that were planned."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from testbed.coflow import NONE, CoflowTable, FlowTable
from testbed.outcome import Outcome
from testbed.plan import Plan

_SOME_BYTES = 10**12


def with_flows(plan: Plan, flows: FlowTable) -> Plan:
    """The plan with further flows behind its own, whose numbers stay. `after` may name any of the joined flows."""
    old, first = plan.flows, len(plan.flows)
    joined: dict[str, Any] = {
        field.name: np.concatenate((getattr(old, field.name), getattr(flows, field.name)))
        for field in fields(FlowTable)
        if field.name not in ("path_ptr", "after", "delay_s")
    }
    joined["path_ptr"] = np.concatenate((old.path_ptr, old.path_ptr[-1] + flows.path_ptr[1:]))
    joined["after"] = {**old.after, **{first + flow: others for flow, others in flows.after.items()}}
    joined["delay_s"] = {**old.delay_s, **{first + flow: delay for flow, delay in flows.delay_s.items()}}
    return replace(plan, flows=FlowTable(**joined))


def with_coflows(plan: Plan, coflows: CoflowTable) -> Plan:
    """The plan with further coflows behind its own; their ids must be new."""
    old = plan.coflows
    joined: dict[str, Any] = {
        name: np.concatenate((getattr(old, name), getattr(coflows, name)))
        for name in ("coflow", "arrival_s", "weight", "deadline_s")
    }
    return replace(plan, coflows=replace(old, **joined))


def with_some_flow(plan: Plan) -> Plan:
    """The plan if it has a flow with a label; else with one, from its first host to its second.

    For asking a scheduler beforehand what only applications will bring it.
    """
    if (plan.flows.label != NONE).any() or len(plan.fabric.hosts) < 2:
        return plan
    coflow = np.array([plan.coflows.coflow.max(initial=-1) + 1], dtype=np.int64)
    path = np.array([plan.fabric.uplink[0], plan.fabric.downlink[1]], dtype=np.int64)
    now = np.zeros(1)
    flow = FlowTable(
        coflow=coflow,
        label=coflow,
        src=np.array([0]),
        dst=np.array([1]),
        bytes=np.array([_SOME_BYTES]),
        start_s=now,
        via=np.array([NONE]),
        path_ptr=np.array([0, len(path)]),
        path_links=path,
    )
    return with_flows(with_coflows(plan, CoflowTable(coflow, now, np.ones(1), np.full(1, np.nan))), flow)


def grow(outcome: Outcome, plan: Plan) -> None:
    """Give an outcome of a shorter plan the rows that `plan` has beyond it, in which nothing has happened yet."""
    flows, coflows = len(plan.flows) - len(outcome.start_s), len(plan.coflows) - len(outcome.coflow_arrival_s)
    outcome.plan = plan
    outcome.coflow_arrival_s = np.concatenate((outcome.coflow_arrival_s, _last(plan.coflows.arrival_s, coflows)))
    outcome.coflow_admitted = np.concatenate((outcome.coflow_admitted, np.ones(coflows, dtype=np.bool_)))
    outcome.planned_start_s = np.concatenate((outcome.planned_start_s, _last(plan.flows.start_s, flows)))
    for name in ("start_s", "first_byte_s", "finish_s", "rtt_s"):
        setattr(outcome, name, np.concatenate((getattr(outcome, name), np.full(flows, np.nan))))
    for name in ("sent_bytes", "received_bytes", "retransmits"):
        setattr(outcome, name, np.concatenate((getattr(outcome, name), np.zeros(flows, dtype=np.int64))))
    outcome.reason.extend([""] * flows)


def _last(column: np.ndarray[Any, np.dtype[np.float64]], count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return column[len(column) - count :]
