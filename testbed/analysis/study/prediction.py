"""What flows without a label should cost, computed apart from the simulator: the law, and a fluid of one sender.

The law: a coflow of M equal flows of which m carry no label looks (M - m) / M as large to a scheduler that learns sizes
from what it has seen arrive, so it stays in its first queue M / (M - m) times as long.

The fluid: all flows leave one sender, whose link is the only bottleneck. D-CLAS, strict, gives the link to the first
coflow by (queue, arrival) and nothing to the others that it knows. Flows that it does not know (no label, or too small
to be registered) take part unasked, in the class where they may travel. The highest class with traffic has the whole
link, and its flows have equal parts of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LOWEST_CLASS = 7
_NOTHING = 1e-6
"""Bytes left of a flow, or missing to a limit, that count as none."""


def law(flows: int, unlabelled: int) -> float:
    """M / (M - m): how many times as long a coflow stays in its first queue; infinite where no flow has a label."""
    return flows / (flows - unlabelled) if unlabelled < flows else math.inf


@dataclass(frozen=True)
class Coflow:
    """`flows` equal flows of `size` bytes each, of which `unlabelled` carry no label."""

    flows: int
    size: float
    arrival_s: float = 0.0
    unlabelled: int = 0


@dataclass(frozen=True)
class Discipline:
    """What decides who is served: parameters of D-CLAS in bytes, and the class of flows that it does not know."""

    first_limit: float
    factor: float = 10.0
    queues: int = 10
    minimum_size: float = 0.0
    unlabelled_class: str = "top"


@dataclass(frozen=True)
class Prediction:
    """Per coflow, in the order given, seconds from its arrival."""

    residence_s: tuple[float, ...]
    """Until it leaves the first queue; NaN where it never does."""
    cct_s: tuple[float, ...]


@dataclass
class _Group:
    """The known or the unknown flows of one coflow: alike at every instant."""

    place: int
    """Of its coflow, in order of arrival."""
    coflow: Coflow
    flows: int
    known: bool
    left: float = field(init=False)
    """Bytes of each flow."""

    def __post_init__(self) -> None:
        self.left = self.coflow.size

    @property
    def received(self) -> float:
        return self.flows * (self.coflow.size - self.left)


def predict(coflows: Sequence[Coflow], sender_Bps: float, rules: Discipline) -> Prediction:
    """Residence in the first queue and CCT of coflows that leave one sender of `sender_Bps` bytes/s of goodput."""
    groups = list(_groups(coflows, rules))
    limits = [rules.first_limit * rules.factor**k for k in range(rules.queues - 1)]
    residence_s, cct_s = [math.nan] * len(coflows), [0.0] * len(coflows)
    now = 0.0
    while unfinished := [group for group in groups if group.left > _NOTHING]:
        here = [group for group in unfinished if group.coflow.arrival_s <= now]
        served = _served(here, limits, rules.unlabelled_class)
        rate = sender_Bps / sum(group.flows for group in served) if served else 0.0  # of each flow
        events = [group.coflow.arrival_s - now for group in unfinished if group.coflow.arrival_s > now]
        for group in served:
            events.append(group.left / rate)
            queue = _queue(group, limits)
            if group.known and queue < len(limits):
                events.append((limits[queue] - group.received) / (rate * group.flows))
        step = min(events)
        now += step
        for group in served:
            before = _queue(group, limits)
            group.left -= rate * step
            if group.known and before == 0 < _queue(group, limits):
                residence_s[group.place] = now - group.coflow.arrival_s
            if group.left <= _NOTHING:
                cct_s[group.place] = now - group.coflow.arrival_s
    return Prediction(tuple(residence_s), tuple(cct_s))


def _groups(coflows: Sequence[Coflow], rules: Discipline) -> Iterator[_Group]:
    for place, coflow in enumerate(coflows):
        unknown = coflow.flows if coflow.size < rules.minimum_size else coflow.unlabelled
        if unknown < coflow.flows:
            yield _Group(place, coflow, coflow.flows - unknown, known=True)
        if unknown:
            yield _Group(place, coflow, unknown, known=False)


def _queue(group: _Group, limits: Sequence[float]) -> int:
    return sum(group.received >= limit - _NOTHING for limit in limits)


def _served(here: Sequence[_Group], limits: Sequence[float], unlabelled_class: str) -> list[_Group]:
    """The groups that share the link: of those that may send, the ones in the highest class."""
    known = {group.place: _queue(group, limits) for group in here if group.known}
    first = min(known, key=lambda place: (known[place], place), default=None)
    in_class = []
    for group in here:
        if group.known and group.place == first:
            in_class.append((min(known[group.place], LOWEST_CLASS), group))
        elif not group.known:
            own = min(known.get(group.place, 0), LOWEST_CLASS)
            in_class.append(({"top": 0, "bottom": LOWEST_CLASS, "own": own}[unlabelled_class], group))
    highest = min((number for number, _ in in_class), default=0)
    return [group for number, group in in_class if number == highest]
