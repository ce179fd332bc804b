"""What the coflows of an explicit workload say about one another and about hosts: checks beyond one coflow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from testbed.spec.coflows import CoflowSpec
from testbed.spec.document import Key, path_text

Path = tuple[Key, ...]
"""A path below the workload."""
Noted = tuple[Path, str]
"""A mistake: where it stands, and its words."""
Waiting = tuple[str, int | str | Path]
"""What waits or is waited for: ('coflow', id), ('end', coflow id), ('flow', id, or its path where it has none)."""


def mistakes_among(coflows: Sequence[CoflowSpec]) -> Iterator[Noted]:
    """Ids given twice, references to what does not exist, starts that contradict each other, circles of `after`."""
    coflow_places: dict[Any, Path] = {}
    flow_places: dict[Any, Path] = {}
    found: list[Noted] = []
    for i, coflow in enumerate(coflows):
        found += _claim(coflow_places, coflow.id, ("coflows", i, "id"), "coflow")
        for j, flow in enumerate(coflow.flows):
            if flow.id is not None:
                found += _claim(flow_places, flow.id, ("coflows", i, "flows", j, "id"), "flow")
    for i, coflow in enumerate(coflows):
        found += _wrong_references(i, coflow, coflow_places, flow_places)
    yield from found or _circles(coflows, coflow_places, flow_places)


def _claim(places: dict[Any, Path], name: object, path: Path, what: str) -> Iterator[Noted]:
    if name in places:
        yield path, f"{what} id {name} is given twice; {path_text(places[name][:-1])} has it already"
    places.setdefault(name, path)


def _wrong_references(i: int, coflow: CoflowSpec, coflows: dict[Any, Path], flows: dict[Any, Path]) -> Iterator[Noted]:
    for n, name in enumerate(coflow.after):
        if name not in coflows:
            yield ("coflows", i, "after", n), f"no coflow {name}; {_known(coflows)}"
    begin_s = coflow.arrival or 0.0
    for j, flow in enumerate(coflow.flows):
        here: Path = ("coflows", i, "flows", j)
        if flow.label is not None and flow.label not in coflows:
            yield (*here, "label"), f"no coflow {flow.label}; {_known(coflows)}"
        for n, other in enumerate(flow.after):
            if other not in flows:
                yield (*here, "after", n), f"no flow with id {other}; {_known(flows)}"
        if flow.arrival is None:
            continue
        if coflow.after:
            yield (*here, "arrival"), "its coflow starts after others; expected 'after' with flow ids, or neither"
        elif flow.arrival < begin_s:
            yield (*here, "arrival"), f"{flow.arrival:g} s is before its coflow's arrival at {begin_s:g} s"


def _known(names: dict[Any, Path]) -> str:
    some = ", ".join(str(name) for name in itertools.islice(names, 20))
    return f"known: {some}{', ...' if len(names) > 20 else ''}" if names else "no flow states an id"


def _circles(
    coflows: Sequence[CoflowSpec], coflow_places: dict[Any, Path], flow_places: dict[Any, Path]
) -> Iterator[Noted]:
    """A coflow waits for the ends of others, an end for the coflow's flows, a flow for its coflow and other flows."""
    graph: TopologicalSorter[Waiting] = TopologicalSorter()
    for i, coflow in enumerate(coflows):
        graph.add(("coflow", coflow.id), *(("end", other) for other in coflow.after))
        graph.add(("end", coflow.id), ("coflow", coflow.id))
        for j, flow in enumerate(coflow.flows):
            waiting: Waiting = ("flow", flow.id if flow.id is not None else ("coflows", i, "flows", j))
            graph.add(waiting, ("coflow", coflow.id), *(("flow", other) for other in flow.after))
            graph.add(("end", coflow.id), waiting)
    try:
        graph.prepare()
    except CycleError as error:
        circle: list[Waiting] = error.args[1][:0:-1]  # each waits for the next; the last is the first again
        named = [(kind, name) for kind, name in circle if kind != "end" and not isinstance(name, tuple)]
        places = [(coflow_places if kind == "coflow" else flow_places)[name] for kind, name in named]
        first = min(range(len(named)), key=lambda n: [str(key).zfill(9) for key in places[n]])
        named = named[first:] + named[: first + 1]
        words = " -> ".join(f"{kind} {name}" for kind, name in named)
        yield (*places[first][:-1], "after"), f"each waits for the next, without end: {words}"


def hosts_named(coflows: Sequence[CoflowSpec]) -> Iterator[tuple[Path, int]]:
    """Every host number in the coflows, and where it stands."""
    for i, coflow in enumerate(coflows):
        here: Path = ("coflows", i)
        for j, flow in enumerate(coflow.flows):
            yield (*here, "flows", j, "from"), flow.src
            yield (*here, "flows", j, "to"), flow.dst
        if coflow.shuffle is not None:
            for j, host in enumerate(coflow.shuffle.mappers):
                yield (*here, "shuffle", "mappers", j), host
            for host in coflow.shuffle.reducers:
                yield (*here, "shuffle", "reducers", host), host
        if coflow.broadcast is not None:
            yield (*here, "broadcast", "from"), coflow.broadcast.src
            for j, host in enumerate(coflow.broadcast.to):
                yield (*here, "broadcast", "to", j), host


def vias_named(coflows: Sequence[CoflowSpec]) -> Iterator[tuple[Path, int]]:
    """Every `via` in the coflows, and where it stands."""
    for i, coflow in enumerate(coflows):
        for j, flow in enumerate(coflow.flows):
            if flow.via is not None:
                yield ("coflows", i, "flows", j, "via"), flow.via
