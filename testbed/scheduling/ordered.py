"""Coflows one after another by a plain key: arrival, total bytes, width, or length."""

from __future__ import annotations

from typing import ClassVar

from testbed.scheduling.composed import ARRIVAL, GREEDY, LENGTH, MADD, SIZE, WIDTH, Composed, Core
from testbed.scheduling.parameters import check_choice, check_switch


class _ByColumn(Composed):
    """Base: an order by one column, and one of two filling rules.

    `rates`: `greedy` (max-min inside a coflow on what is left) or `madd` (each coflow's flows end together), the
    latter followed by the backfill unless `backfill` is false.
    """

    column: ClassVar[int]

    def __init__(self, rates: str = "greedy", backfill: bool = True) -> None:
        check_choice(self.name, "rates", rates, ("greedy", "madd"))
        check_switch(self.name, "backfill", backfill)
        self.core = Core(self.column, GREEDY if rates == "greedy" else MADD, backfill)


class Fifo(_ByColumn):
    """First come, first served: coflows by arrival."""

    name: ClassVar[str] = "fifo"
    column: ClassVar[int] = ARRIVAL


class Scf(_ByColumn):
    """Smallest coflow first: by total bytes, what has been received included."""

    name: ClassVar[str] = "scf"
    column: ClassVar[int] = SIZE


class Ncf(_ByColumn):
    """Narrowest coflow first: by the number of flows registered so far, ended ones included."""

    name: ClassVar[str] = "ncf"
    column: ClassVar[int] = WIDTH


class Lcf(_ByColumn):
    """Least length first: by the bytes of the largest flow, ended ones included."""

    name: ClassVar[str] = "lcf"
    column: ClassVar[int] = LENGTH
