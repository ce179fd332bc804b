"""From a plan and its outcome to the tables of the records: whole columns at a time, 700,000 flows in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from testbed.coflow import ENDLESS, NONE, Floats, Ints
from testbed.completion import coflow_finish_s, coflow_rows
from testbed.errors import RecordsError
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.records.schema import COFLOWS, FLOWS, Column, arrow_schema


def check_shapes(plan: Plan, outcome: Outcome, gammas: Floats) -> None:
    """RecordsError unless every array of the outcome has a row for each flow (or coflow) of the plan."""
    coflows = {"gammas": gammas, "coflow_arrival_s": outcome.coflow_arrival_s,
               "coflow_admitted": outcome.coflow_admitted}  # fmt: skip
    flows = {name: getattr(outcome, name) for name in (
        "planned_start_s", "start_s", "first_byte_s", "finish_s", "sent_bytes", "received_bytes", "retransmits",
        "rtt_s", "reason")}  # fmt: skip
    for what, arrays, rows in (("coflow", coflows, len(plan.coflows)), ("flow", flows, len(plan.flows))):
        for name, array in arrays.items():
            if len(array) != rows:
                raise RecordsError(f"outcome.{name}: {len(array)} rows, expected {rows}: one for each {what} planned")


def flow_table(plan: Plan, outcome: Outcome) -> pa.Table:
    """The table FLOWS: a row for each planned flow, finished or not, in the order of the plan."""
    flows, rows = plan.flows, len(plan.flows)
    return _table(FLOWS, {
        **_run_columns(plan, outcome, rows),
        "coflow": _without(flows.coflow, NONE),
        "label": _without(flows.label, NONE),
        "flow": np.arange(rows),
        "from": flows.src,
        "to": flows.dst,
        "bytes": _without(flows.bytes, ENDLESS),
        "planned_start_s": outcome.planned_start_s,
        "start_s": outcome.start_s,
        "first_byte_s": outcome.first_byte_s,
        "finish_s": outcome.finish_s,
        "fct_s": outcome.finish_s - outcome.planned_start_s,
        "sent_bytes": outcome.sent_bytes,
        "received_bytes": outcome.received_bytes,
        "retransmits": outcome.retransmits,
        "rtt_s": outcome.rtt_s,
        "path": path_names(plan),
        "reason": _words(outcome.reason),
    })  # fmt: skip


def coflow_table(plan: Plan, outcome: Outcome, gammas: Floats) -> pa.Table:
    """The table COFLOWS: a row for each planned coflow, in the order of the plan. `gammas`: seconds, per coflow."""
    coflows, flows, rows = plan.coflows, plan.flows, len(plan.coflows)
    row = coflow_rows(coflows, flows)
    mine = row >= 0
    row = row[mine]
    width = np.bincount(row, minlength=rows)
    finish = coflow_finish_s(coflows, flows, outcome.finish_s)
    cct = finish - outcome.coflow_arrival_s
    size = _sum_by(row, flows.bytes[mine], rows)
    received = _sum_by(row, np.minimum(outcome.received_bytes, flows.bytes)[mine], rows)
    with np.errstate(invalid="ignore"):
        met = pa.array(cct <= coflows.deadline_s, mask=np.isnan(coflows.deadline_s))
        delivered = np.where(size > 0, received / np.maximum(size, 1), 1.0)
    return _table(COFLOWS, {
        **_run_columns(plan, outcome, rows),
        "coflow": coflows.coflow,
        "arrival_s": outcome.coflow_arrival_s,
        "finish_s": finish,
        "cct_s": cct,
        "flows": width,
        "bytes": size,
        "gamma_s": gammas,
        "deadline_s": coflows.deadline_s,
        "met": met,
        "delivered": delivered,
        "admitted": outcome.coflow_admitted,
    })  # fmt: skip


def path_names(plan: Plan) -> pa.DictionaryArray:
    """Per flow the nodes it crosses, as 'h0->e0->h1'. Flows share few paths, so each is spelled once."""
    flows, links = plan.flows, plan.fabric.links
    length = np.diff(flows.path_ptr)
    code = np.zeros(len(flows), dtype=np.int64)
    for hop in range(int(length.max(initial=0))):  # fold the links of a path into one number, hop by hop
        there = length > hop
        link = np.zeros(len(flows), dtype=np.int64)
        link[there] = flows.path_links[flows.path_ptr[:-1][there] + hop] + 1
        code = pd.factorize(code * (len(links) + 1) + link)[0]
    codes, first = np.unique(code, return_index=True)
    names = []
    for flow in first:
        path = [links[link] for link in flows.path(int(flow))]
        names.append("->".join([path[0].source, *(link.target for link in path)]))
    return pa.DictionaryArray.from_arrays(np.searchsorted(codes, code).astype(np.int32), pa.array(names, pa.string()))


def _table(columns: tuple[Column, ...], values: dict[str, Any]) -> pa.Table:
    arrays = []
    for column in columns:
        value = values[column.name]
        if not isinstance(value, pa.Array):
            value = pa.array(value, column.type, from_pandas=True)  # NaN is an empty cell
        arrays.append(value)
    return pa.table(arrays, schema=arrow_schema(columns))


def _run_columns(plan: Plan, outcome: Outcome, rows: int) -> dict[str, Any]:
    return {
        "source": _constant(outcome.source, rows),
        "scheduler": _constant(plan.scheduler.title, rows),
        "repeat": np.full(rows, plan.repeat, dtype=np.int64),
    }


def _constant(word: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array([word], pa.string()))


def _words(words: Sequence[str]) -> pa.DictionaryArray:
    codes, names = pd.factorize(np.array(words, dtype=object))
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32), mask=np.array([not word for word in words], dtype=np.bool_)),
        pa.array(list(names), pa.string()),
    )


def _without(column: Ints, absent: int) -> pa.Array:
    return pa.array(column, pa.int64(), mask=column == absent)


def _sum_by(row: Ints, value: Ints, rows: int) -> Ints:
    total = np.zeros(rows, dtype=np.int64)
    np.add.at(total, row, value)
    return total
