"""Traces in the coflow-benchmark format: the types, the reader and the writer.

The format (https://github.com/coflow/coflow-benchmark): a first line `<ports> <coflows>`, then per coflow
`<id> <arrival ms> <mappers> <port>... <reducers> <port>:<MB>...`. A reducer's MB are split equally over the mappers.
Files count ports from 0, as the public Facebook trace does, or from 1; `read_trace` tells which from the ports used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from testbed.errors import SpecError
from testbed.workload.trace_lines import numbered_lines, write_whole

MAX_PORTS = 1_000_000
"""A header that names more is taken for a mistake: nothing in the testbed could carry it."""

MAX_MEGABYTES = 1e9
"""At a reducer; a petabyte."""
MAX_ARRIVAL_MS = 1e12
"""Some thirty years."""

_WHOLE = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class TraceCoflow:
    """One coflow: every mapper sends an equal part of each reducer's megabytes to it. Ports count from 0."""

    id: int
    arrival_s: float
    mappers: tuple[int, ...]
    reducers: tuple[tuple[int, float], ...]
    """(port, megabytes as in the file); what a megabyte means is up to whoever reads on."""

    @property
    def width(self) -> int:
        """Number of flows: mappers times reducers."""
        return len(self.mappers) * len(self.reducers)

    @property
    def megabytes(self) -> float:
        """Megabytes of all its flows."""
        return math.fsum(megabytes for _, megabytes in self.reducers)

    @property
    def longest_flow_megabytes(self) -> float:
        """Megabytes of its largest flow."""
        return max(megabytes for _, megabytes in self.reducers) / len(self.mappers)


@dataclass(frozen=True)
class Trace:
    """Coflows on a big switch of `ports` ports, in the order of the file."""

    ports: int
    coflows: tuple[TraceCoflow, ...]
    base: int = field(default=0, compare=False)
    """What the file counted its ports from; in `coflows` they always count from 0."""


def read_trace(path: Path, base: int | None = None) -> Trace:
    """Read a trace, plain or gzipped, with ports counted from 0 or from 1.

    With `base` None the file decides: a port 0 means that it counts from 0, a port equal to the number of ports that
    it counts from 1; both together are an error; neither is read as the format says, from 0. Every mistake in the
    file is a SpecError that begins `file:line:`. Time and memory are bounded by the file's size, not by its header.
    """
    lines = numbered_lines(path)
    line, text = next(lines, (1, ""))
    ports, count = _header(f"{path}:{line}", text)
    seen = _PortsSeen(ports, base)
    first_line: dict[int, int] = {}
    coflows: list[TraceCoflow] = []
    for line, text in lines:
        if not text.strip():
            _only_blank_lines_follow(path, lines)
            break
        where = f"{path}:{line}"
        if len(coflows) == count:
            raise SpecError(f"{where}: more coflows than the {count} that line 1 announces; correct line 1 or cut here")
        coflow = _coflow(where, text, seen)
        if coflow.id in first_line:
            raise SpecError(f"{where}: coflow id {coflow.id} was used on line {first_line[coflow.id]}; ids are unique")
        first_line[coflow.id] = line
        coflows.append(coflow)
    if len(coflows) < count:
        raise SpecError(
            f"{path}:{line}: the file ends after {len(coflows)} coflows, line 1 announces {count}; "
            "it was cut short, or line 1 is wrong"
        )
    counted_from = seen.base()
    if counted_from == 1:
        coflows = [_shifted(coflow) for coflow in coflows]
    return Trace(ports, tuple(coflows), counted_from)


def write_trace(trace: Trace, path: Path, base: int = 0) -> None:
    """Write a trace, gzipped if the name ends in .gz; `path` is left as it was unless all could be written.

    Arrivals are written to the nanosecond and megabytes to 10^-6, so whole bytes come back where 1 MB is 10^6.
    """
    lines = [f"{trace.ports} {len(trace.coflows)}"]
    for coflow in trace.coflows:
        mappers = " ".join(str(port + base) for port in coflow.mappers)
        reducers = " ".join(f"{port + base}:{_megabytes(megabytes)}" for port, megabytes in coflow.reducers)
        arrival_ms = f"{coflow.arrival_s * 1000:.6f}".rstrip("0").rstrip(".")
        lines.append(f"{coflow.id} {arrival_ms} {len(coflow.mappers)} {mappers} {len(coflow.reducers)} {reducers}")
    write_whole(path, "\n".join(lines) + "\n")


def _megabytes(value: float) -> str:
    """'65.0' as the public trace writes it; six decimals at most, but never 0."""
    return repr(max(round(value, 6), 1e-6)) if value >= 1e-4 else f"{max(value, 1e-6):.6f}"


def _header(where: str, text: str) -> tuple[int, int]:
    words = text.split()
    if len(words) != 2:
        raise SpecError(f"{where}: found {_quoted(text.strip())}, expected a first line '<ports> <coflows>'")
    ports, count = _whole(where, "number of ports", words[0]), _whole(where, "number of coflows", words[1])
    if not 1 <= ports <= MAX_PORTS:
        raise SpecError(f"{where}: number of ports is {ports}, expected 1 to {MAX_PORTS}")
    if count < 1:
        raise SpecError(f"{where}: number of coflows is {count}, expected at least 1")
    return ports, count


def _only_blank_lines_follow(path: Path, lines: Iterator[tuple[int, str]]) -> None:
    for line, text in lines:
        if text.strip():
            raise SpecError(f"{path}:{line}: found {_quoted(text.strip())} after a blank line; remove the blank line")


class _PortsSeen:
    """Checks each port number of a file, and tells from all of them what the file counts from."""

    def __init__(self, ports: int, forced: int | None) -> None:
        if forced not in (None, 0, 1):
            raise SpecError(f"ports are counted from {forced!r}, expected 0 or 1 (or None: tell from the file)")
        self.ports = ports
        self.forced = forced
        self.zero_at = ""
        self.last_at = ""

    def number(self, where: str, text: str) -> int:
        """The port number as the file has it; raises SpecError where no counting makes it a port."""
        port = _whole(where, "port", text)
        if port == 0 and self.forced is None:
            self.zero_at = self.zero_at or where
        if port == self.ports and self.forced is None:
            self.last_at = self.last_at or where
        if self.zero_at and self.last_at:
            raise SpecError(
                f"{where}: port {port}: the file has a port 0 ({self.zero_at}) and a port {self.ports} "
                f"({self.last_at}), but line 1 announces {self.ports} ports"
            )
        low, high = self.forced or 0, self.ports - 1 if self.forced == 0 else self.ports
        if not low <= port <= high:
            raise SpecError(f"{where}: port {port} is out of range: line 1 announces {self.ports} ports{self._rule()}")
        return port

    def _rule(self) -> str:
        if self.forced is None:
            return ""
        return f", counted from {self.forced}, so {self.forced} to {self.ports - 1 + self.forced}"

    def base(self) -> int:
        """0 or 1: forced, or told from the ports seen."""
        if self.forced is not None:
            return self.forced
        return 1 if self.last_at else 0


def _coflow(where: str, text: str, seen: _PortsSeen) -> TraceCoflow:
    words = iter(text.split())
    number = _whole(where, "coflow id", _next(where, words, "the coflow's id"))
    arrival_ms = _decimal(where, "arrival in ms", _next(where, words, "the arrival in ms"), MAX_ARRIVAL_MS)
    senders = _count(where, "mappers", words)
    mappers = [seen.number(where, _next(where, words, f"port {i} of {senders} mappers")) for i in range(1, senders + 1)]
    receivers = _count(where, "reducers", words)
    reducers = [
        _reducer(where, _next(where, words, f"reducer {i} of {receivers}"), seen) for i in range(1, receivers + 1)
    ]
    left = next(words, None)
    if left is not None:
        raise SpecError(
            f"{where}: found {_quoted(left)} after the last of {len(reducers)} reducers; "
            "the number of mappers or of reducers is wrong"
        )
    return TraceCoflow(number, round(arrival_ms / 1000, 9), tuple(mappers), tuple(reducers))


def _reducer(where: str, word: str, seen: _PortsSeen) -> tuple[int, float]:
    port, colon, megabytes = word.partition(":")
    if not colon:
        raise SpecError(f"{where}: reducer {_quoted(word)} has no ':', expected '<port>:<MB>'")
    size = _decimal(where, "reducer's MB", megabytes, MAX_MEGABYTES)
    if size == 0:
        raise SpecError(f"{where}: reducer {_quoted(word)} receives nothing, expected more than 0 MB; leave it out")
    return seen.number(where, port), size


def _next(where: str, words: Iterator[str], expected: str) -> str:
    word = next(words, None)
    if word is None:
        raise SpecError(f"{where}: the line ends too early: expected {expected}")
    return word


def _count(where: str, what: str, words: Iterator[str]) -> int:
    count = _whole(where, f"number of {what}", _next(where, words, f"the number of {what}"))
    if count < 1:
        raise SpecError(f"{where}: number of {what} is {count}, expected at least 1; leave the coflow out")
    return count


def _whole(where: str, what: str, word: str) -> int:
    if not _WHOLE.fullmatch(word):
        raise SpecError(f"{where}: {what} is {_quoted(word)}, expected a whole number, 0 or more")
    return int(word)


def _decimal(where: str, what: str, word: str, most: float) -> float:
    value = float(word) if _DECIMAL.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise SpecError(f"{where}: {what} is {_quoted(word)}, expected a number, 0 or more")
    if value > most:
        raise SpecError(f"{where}: {what} is {_quoted(word)}, expected at most {most:g}")
    return value


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _shifted(coflow: TraceCoflow) -> TraceCoflow:
    """The same coflow with ports counted from 0 in place of 1."""
    return replace(
        coflow,
        mappers=tuple(port - 1 for port in coflow.mappers),
        reducers=tuple((port - 1, megabytes) for port, megabytes in coflow.reducers),
    )
