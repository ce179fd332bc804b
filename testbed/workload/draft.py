"""A workload between its spec and the plan: tables of coflows and flows between hosts, without paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import CoflowTable, Floats, Ints
from testbed.errors import SpecError

Blame = Callable[[tuple[str | int, ...], str], SpecError]
"""Words an error about a field of the experiment: path and message to `file:line: path: message`."""


@dataclass(frozen=True)
class Draft:
    """Columns as in `testbed.coflow.FlowTable`; `via` is what the workload states, NONE where it states nothing."""

    coflows: CoflowTable
    coflow: Ints
    label: Ints
    src: Ints
    dst: Ints
    bytes: Ints
    start_s: Floats
    via: Ints
    after: dict[int, tuple[int, ...]] = field(default_factory=dict)
    delay_s: dict[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.coflow)

    def noted(self, *notes: str) -> Draft:
        """The same with further notes; empty ones are left out."""
        return replace(self, notes=self.notes + tuple(note for note in notes if note))

    def taking(self, rows: Ints | NDArray[np.bool_]) -> Draft:
        """Some of the flows, of a draft in which no flow waits for another."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, **columns)

    def joined(self, other: dict[str, Ints | Floats]) -> Draft:
        """With further flows behind its own, given as columns."""
        columns: dict[str, Any] = {name: np.concatenate([getattr(self, name), other[name]]) for name in _COLUMNS}
        return replace(self, **columns)

    def in_order(self) -> Draft:
        """Coflows by (arrival, id), flows by (start, coflow, source, destination); those without an instant last."""
        coflows = self.coflows
        rank = np.lexsort((coflows.coflow, coflows.arrival_s))
        order = np.lexsort((self.dst, self.src, self.coflow, self.start_s))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return replace(
            self,
            coflows=replace(
                coflows,
                coflow=coflows.coflow[rank],
                arrival_s=coflows.arrival_s[rank],
                weight=coflows.weight[rank],
                deadline_s=coflows.deadline_s[rank],
            ),
            **{name: getattr(self, name)[order] for name in _COLUMNS},
            after={int(place[row]): tuple(int(place[other]) for other in others) for row, others in self.after.items()},
            delay_s={int(place[row]): delay_s for row, delay_s in self.delay_s.items()},
        )


def empty_draft() -> Draft:
    """No coflows and no flows."""
    none, never = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
    return Draft(CoflowTable(none, never, never, never), none, none, none, none, none, never, none)


_COLUMNS = ("coflow", "label", "src", "dst", "bytes", "start_s", "via")
