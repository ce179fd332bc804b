"""Coflows written out in a workload file, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from testbed.coflow import NONE, CoflowTable
from testbed.spec.coflows import CoflowSpec, FlowSpec
from testbed.spec.workload import ExplicitSpec
from testbed.workload import patterns
from testbed.workload.draft import Draft


def explicit_draft(workload: ExplicitSpec) -> Draft:
    """The coflows of a valid explicit workload, in the order they are written."""
    rows: list[tuple[Any, ...]] = []
    after: dict[int, tuple[int | str, ...]] = {}
    delay_s: dict[int, float] = {}
    row_of: dict[int | str, int] = {}
    for coflow in workload.coflows:
        for flow in coflow.flows:
            if flow.id is not None:
                row_of[flow.id] = len(rows)
            if flow.after:
                after[len(rows)] = flow.after
                delay_s[len(rows)] = flow.delay or 0.0
            via = NONE if flow.via is None else flow.via
            rows.append((coflow.id, _label(flow, coflow), flow.src, flow.dst, flow.size, _start_s(flow, coflow), via))
        for src, dst, size in _pattern_flows(coflow):
            rows.append((coflow.id, coflow.id, src, dst, size, _arrival_s(coflow), NONE))
    coflow_of, label, sources, targets, sizes, start_s, vias = zip(*rows, strict=True)
    return Draft(
        coflows=_coflow_table(workload),
        coflow=np.array(coflow_of, dtype=np.int64),
        label=np.array(label, dtype=np.int64),
        src=np.array(sources, dtype=np.int64),
        dst=np.array(targets, dtype=np.int64),
        bytes=np.array(sizes, dtype=np.int64),
        start_s=np.array(start_s, dtype=np.float64),
        via=np.array(vias, dtype=np.int64),
        after={row: tuple(row_of[name] for name in names) for row, names in after.items()},
        delay_s=delay_s,
    )


def _coflow_table(workload: ExplicitSpec) -> CoflowTable:
    coflows = workload.coflows
    waiting = [coflow for coflow in coflows if coflow.after]
    return CoflowTable(
        coflow=np.array([coflow.id for coflow in coflows], dtype=np.int64),
        arrival_s=np.array([_arrival_s(coflow) for coflow in coflows], dtype=np.float64),
        weight=np.array([coflow.weight for coflow in coflows], dtype=np.float64),
        deadline_s=np.array([coflow.deadline or np.nan for coflow in coflows], dtype=np.float64),
        after={coflow.id: coflow.after for coflow in waiting},
        delay_s={coflow.id: coflow.delay or 0.0 for coflow in waiting},
    )


def _arrival_s(coflow: CoflowSpec) -> float:
    return np.nan if coflow.after else coflow.arrival or 0.0


def _start_s(flow: FlowSpec, coflow: CoflowSpec) -> float:
    if flow.after:
        return np.nan
    return _arrival_s(coflow) if flow.arrival is None else flow.arrival


def _label(flow: FlowSpec, coflow: CoflowSpec) -> int:
    if not flow.labelled:
        return NONE
    if "label" not in flow.model_fields_set:
        return coflow.id
    return NONE if flow.label is None else flow.label


def _pattern_flows(coflow: CoflowSpec) -> Iterator[tuple[int, int, int]]:
    if coflow.shuffle is not None:
        reducers = coflow.shuffle.reducers
        src, dst, size = patterns.shuffle(
            np.array(coflow.shuffle.mappers, dtype=np.int64),
            np.array(list(reducers), dtype=np.int64),
            np.array(list(reducers.values()), dtype=np.int64),
        )
        yield from zip(src.tolist(), dst.tolist(), size.tolist(), strict=True)
    if coflow.broadcast is not None:
        to = np.array(coflow.broadcast.to, dtype=np.int64)
        src, dst, size = patterns.broadcast(coflow.broadcast.src, to, coflow.broadcast.size)
        yield from zip(src.tolist(), dst.tolist(), size.tolist(), strict=True)
