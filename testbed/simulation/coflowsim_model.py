"""CoflowSim's units, its reading of a trace, and the tables its kernels run on.

CoflowSim (https://github.com/coflow/coflowsim) is written in Java; sums here are taken in its order, in doubles.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import Floats, Ints
from testbed.errors import SimulationError
from testbed.workload.trace import Trace, TraceCoflow

SECOND_MS = 1024
"""A second of CoflowSim has 1024 milliseconds."""
QUANTUM_MS = 8
EPOCH_MS = 10 * SECOND_MS
END_MS = 86_400 * SECOND_MS
"""CoflowSim stops here, finished or not."""

PORT_BPS = float(2**30)
"""Capacity of a port in bits per second."""
PORT_BPS_BYTES = PORT_BPS / 8
QUANTUM_BYTES = PORT_BPS_BYTES * QUANTUM_MS / SECOND_MS
"""Bytes that a port moves in a quantum: exactly 1 MiB."""
MIB = 2**20
MAX_REDUCER_MIB = END_MS // QUANTUM_MS
"""A port moves no more until CoflowSim stops."""
ZERO = 1e-3
"""Bytes and rates up to this count as nothing."""

DEADLINE_SEED = 17

Ids = NDArray[np.int32]
Flags = NDArray[np.bool_]


class Model(NamedTuple):
    """Coflows in order of arrival, their reducers in port order, and a reducer's flows in order of the mappers' ports.

    `first_reducer[c] : first_reducer[c + 1]` are the reducers of coflow c, `first_flow[r] : first_flow[r + 1]` the
    flows of reducer r.
    """

    ports: int
    arrival_ms: Floats
    alpha: Floats
    """Bytes through the busiest port of each coflow, fixed."""
    deadline_ms: Floats
    """After the start; orders the last filling of the MADD rates and nothing else."""
    mappers: Ints
    largest_reducer: Floats
    first_reducer: Ints
    reducer_port: Ids
    reducer_coflow: Ids
    reducer_bytes: Floats
    """Rounded up to whole MiB per mapper."""
    reducer_bytes_first: Floats
    """Rounded up to whole MiB only: what LCF's order starts from."""
    first_flow: Ints
    flow_source: Ids
    flow_reducer: Ids
    flow_bytes: Floats


def build(trace: Trace) -> Model:
    """The trace as CoflowSim reads it: a megabyte is 2^20 bytes, a flow at least one and a whole number of them."""
    coflows = sorted(trace.coflows, key=lambda coflow: coflow.arrival_s)  # stable, like Java's sort
    merged = [_merged(coflow) for coflow in coflows]
    senders = [np.array(sorted(set(coflow.mappers)), dtype=np.int32) for coflow in coflows]
    mappers = np.array([len(ports) for ports in senders], dtype=np.int64)
    reducers = np.array([len(ports) for ports, _ in merged], dtype=np.int64)
    reducer_coflow = np.repeat(np.arange(len(coflows), dtype=np.int32), reducers)
    per_reducer = mappers[reducer_coflow]
    first = np.concatenate([mib for _, mib in merged]) * MIB
    rounded = -(-first // (per_reducer * MIB)) * (per_reducer * MIB)
    first_reducer = _pointers(reducers)
    largest = np.maximum.reduceat(rounded, first_reducer[:-1]).astype(np.float64)
    alpha = np.maximum(np.add.reduceat(rounded, first_reducer[:-1]) / mappers, largest)
    draws = np.array(JavaRandom(DEADLINE_SEED).doubles(len(coflows)))
    flow_reducer = np.repeat(np.arange(len(rounded), dtype=np.int32), per_reducer)
    return Model(
        ports=trace.ports,
        arrival_ms=np.round([coflow.arrival_s * 1000 for coflow in coflows], 6),
        alpha=alpha,
        deadline_ms=alpha / PORT_BPS_BYTES * (1.0 + draws) * 1000,
        mappers=mappers,
        largest_reducer=largest,
        first_reducer=first_reducer,
        reducer_port=np.concatenate([ports for ports, _ in merged]),
        reducer_coflow=reducer_coflow,
        reducer_bytes=rounded.astype(np.float64),
        reducer_bytes_first=first.astype(np.float64),
        first_flow=_pointers(per_reducer),
        flow_source=np.concatenate([np.tile(ports, len(to)) for ports, (to, _) in zip(senders, merged, strict=True)]),
        flow_reducer=flow_reducer,
        flow_bytes=(rounded / per_reducer)[flow_reducer],
    )


def _merged(coflow: TraceCoflow) -> tuple[Ids, Ints]:
    """Reducer ports in order, and whole MiB of each; reducers on the same port become one."""
    mib: dict[int, int] = {}
    for port, megabytes in coflow.reducers:
        if megabytes > MAX_REDUCER_MIB:
            raise SimulationError(
                f"coflowsim mode: coflow {coflow.id}: a reducer of {megabytes:g} MB cannot finish in the {END_MS} ms "
                "that CoflowSim runs; scale the sizes down"
            )
        mib[port] = mib.get(port, 0) + math.ceil(int(megabytes * MIB) / MIB)
    ports = sorted(mib)
    return np.array(ports, dtype=np.int32), np.array([mib[port] for port in ports], dtype=np.int64)


def _pointers(counts: Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


class JavaRandom:
    """java.util.Random: a 48-bit linear congruential generator (its constants are in the class's documentation)."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ 0x5DEECE66D) & (2**48 - 1)

    def _next(self, bits: int) -> int:
        self._state = (self._state * 0x5DEECE66D + 0xB) & (2**48 - 1)
        return self._state >> (48 - bits)

    def doubles(self, count: int) -> list[float]:
        """The next `count` values of nextDouble(), each from 0 to 1."""
        return [((self._next(26) << 27) + self._next(27)) * 2.0**-53 for _ in range(count)]
