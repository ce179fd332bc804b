"""Coflows of a trace, between ports, as flows between hosts: folding, scaling, splitting and merging."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from testbed.coflow import NONE, CoflowTable, Floats, Ints
from testbed.spec.quantities import MAX_BYTES
from testbed.units import format_size, format_time
from testbed.workload.draft import Blame, Draft
from testbed.workload.patterns import shuffle
from testbed.workload.trace import TraceCoflow


@dataclass(frozen=True)
class Placement:
    """How a trace's ports, megabytes and seconds become hosts, bytes and seconds of the plan."""

    ports: int
    hosts: int
    folding: Literal["modulo", "drop", "spread"] = "modulo"
    megabyte: int = 1_000_000
    size_scale: float = 1.0
    time_scale: float = 1.0
    merge: bool = False
    """Whether flows of a coflow between the same two hosts become one."""
    drop_loopback: bool = False


def place(coflows: tuple[TraceCoflow, ...], placement: Placement, blame: Blame) -> Draft:
    """The coflows as a draft. Arrivals begin at 0. What was left out or changed is in its notes.

    SpecError where no flow is left, or a size is beyond what can be carried exactly.
    """
    draft, raised = _unfolded(coflows, placement, blame)
    notes = [
        f"{raised} reducers had less than a byte for each mapper after scaling; each flow has at least one byte"
        if raised
        else "",
        f"arrivals begin at 0: the first selected coflow arrived after {format_time(_first_s(coflows))}"
        if _first_s(coflows) > 0
        else "",
    ]
    draft = _folded(draft.noted(*notes), placement)
    if placement.merge:
        draft = _merged(draft)
    if placement.drop_loopback:
        draft = _without(
            draft,
            draft.src == draft.dst,
            "from a host to itself; dropped, because the experiment emulates or says 'loopback: drop'",
        )
    if not len(draft):
        raise blame(("workload",), f"no flow is left of {len(coflows)} coflows; {'; '.join(draft.notes)}")
    return _without_empty_coflows(draft)


def _first_s(coflows: tuple[TraceCoflow, ...]) -> float:
    return min(coflow.arrival_s for coflow in coflows)


def _unfolded(coflows: tuple[TraceCoflow, ...], placement: Placement, blame: Blame) -> tuple[Draft, int]:
    """Flows between ports, and the number of reducers whose bytes had to be raised."""
    scale = placement.megabyte * placement.size_scale
    parts: list[tuple[Ints, Ints, Ints]] = []
    raised = 0
    for coflow in coflows:
        mappers = np.array(coflow.mappers, dtype=np.int64)
        reducers = np.array([port for port, _ in coflow.reducers], dtype=np.int64)
        exact = np.array([megabytes for _, megabytes in coflow.reducers], dtype=np.float64) * scale
        if exact.max() > MAX_BYTES:
            raise blame(("workload",), f"coflow {coflow.id}: {exact.max():.3g} bytes at a reducer; at most {MAX_BYTES}")
        totals = np.rint(exact).astype(np.int64)
        raised += int((totals < len(mappers)).sum())
        parts.append(shuffle(mappers, reducers, np.maximum(totals, len(mappers))))
    ids = np.array([coflow.id for coflow in coflows], dtype=np.int64)
    arrivals = np.array([coflow.arrival_s for coflow in coflows], dtype=np.float64)
    arrivals = (arrivals - arrivals.min()) * placement.time_scale
    widths = [len(part[0]) for part in parts]
    src, dst, size = (np.concatenate(column) for column in zip(*parts, strict=True))
    owner = np.repeat(ids, widths)
    draft = Draft(
        CoflowTable(ids, arrivals, np.ones(len(ids)), np.full(len(ids), np.nan)),
        owner,
        owner,
        src,
        dst,
        size,
        np.repeat(arrivals, widths),
        np.full(len(owner), NONE, dtype=np.int64),
    )
    return draft, raised


def _folded(draft: Draft, placement: Placement) -> Draft:
    ports, hosts = placement.ports, placement.hosts
    if placement.folding == "drop":
        return _without(draft, np.maximum(draft.src, draft.dst) >= hosts, f"at ports from {hosts} on; dropped")
    if placement.folding == "spread":
        draft = replace(draft, src=draft.src * hosts // ports, dst=draft.dst * hosts // ports)
    else:
        draft = replace(draft, src=draft.src % hosts, dst=draft.dst % hosts)
    return draft.noted(f"{ports} ports share {hosts} hosts ({placement.folding})" if ports > hosts else "")


def _merged(draft: Draft) -> Draft:
    """Flows of a coflow between the same two hosts as one, of the bytes of all."""
    order = np.lexsort((draft.dst, draft.src, draft.coflow))
    key = np.stack([draft.coflow[order], draft.src[order], draft.dst[order]])
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(key) != 0).any(axis=0)])) if len(order) else order
    merged = draft.taking(order[begins])
    if not len(order):
        return merged
    merged = replace(merged, bytes=np.add.reduceat(draft.bytes[order], begins))
    return merged.noted(f"{len(draft)} flows merged into {len(merged)}" if len(merged) < len(draft) else "")


def _without(draft: Draft, gone: np.ndarray[tuple[int], np.dtype[np.bool_]], words: str) -> Draft:
    if not gone.any():
        return draft
    lost, total = format_size(float(draft.bytes[gone].sum())), format_size(float(draft.bytes.sum()))
    note = f"{int(gone.sum())} of {len(draft)} flows ({lost} of {total}) are {words}"
    return draft.taking(~gone).noted(note)


def _without_empty_coflows(draft: Draft) -> Draft:
    coflows = draft.coflows
    kept = np.isin(coflows.coflow, draft.coflow)
    if kept.all():
        return draft
    columns: list[Ints | Floats] = [coflows.coflow, coflows.arrival_s, coflows.weight, coflows.deadline_s]
    table = CoflowTable(*(column[kept] for column in columns))  # type: ignore[arg-type]
    lost = int((~kept).sum())
    return replace(draft, coflows=table).noted(f"{lost} of {len(kept)} coflows have no flow left; dropped")
