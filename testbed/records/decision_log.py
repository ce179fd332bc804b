"""The table `decisions`: what the scheduler saw and what it answered, one row per call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from testbed.errors import RecordsError
from testbed.outcome import Decision

_NUMBERS = ("at_s", "latency_s", "ask_again_s")
_LISTS: dict[str, type] = {
    "coflows": np.int64,
    "flows": np.int64,
    "cap_Bps": np.float64,
    "queue": np.int64,
    "received": np.float64,
    "coflow_received": np.float64,
    "coflow_width": np.int64,
    "coflow_arrival_s": np.float64,
    "ask_at_received": np.float64,
    "queue_weight": np.float64,
    "reject": np.int64,
    "cut": np.int64,
}
"""Columns that hold a list in each row: by coflow in the order served, by flow in the view's order, or by class."""


def decision_table(decisions: Sequence[Decision]) -> pa.Table:
    """One row per decision. Times that are infinite or not measured are empty cells."""
    return pa.table({
        "at_s": pa.array([d.at_s for d in decisions], pa.float64()),
        "reason": pa.array([d.reason for d in decisions], pa.string()),
        "active_coflows": pa.array([len(d.coflows) for d in decisions], pa.int64()),
        "active_flows": pa.array([len(d.flows) for d in decisions], pa.int64()),
        "latency_s": pa.array([d.latency_s for d in decisions], pa.float64(), from_pandas=True),
        **{name: _lists([getattr(d, name) for d in decisions], dtype) for name, dtype in _LISTS.items()},
        "faults": pa.array([d.faults for d in decisions], pa.int64()),
        "ask_again_s": pa.array([d.ask_again_s if d.ask_again_s < np.inf else None for d in decisions], pa.float64()),
    })  # fmt: skip


def read_decisions(table: pa.Table, where: str) -> Iterator[Decision]:
    """The decisions of a table, one after another; RecordsError names `where` and a column that is missing."""
    missing = sorted({*_NUMBERS, *_LISTS, "reason"} - set(table.column_names))
    if missing:
        raise RecordsError(f"{where}: column '{missing[0]}' is missing; written by another version of the testbed")
    has_faults = "faults" in table.column_names  # older logs do not
    for batch in table.to_batches(max_chunksize=1024):
        columns = {name: batch.column(name) for name in (*_NUMBERS, *_LISTS, "reason")}
        for row in range(batch.num_rows):
            lists: dict[str, Any] = {
                name: columns[name][row].values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
                for name, dtype in _LISTS.items()
            }
            again_s, latency_s = columns["ask_again_s"][row].as_py(), columns["latency_s"][row].as_py()
            yield Decision(
                at_s=columns["at_s"][row].as_py(),
                reason=columns["reason"][row].as_py(),
                latency_s=np.nan if latency_s is None else latency_s,
                ask_again_s=np.inf if again_s is None else again_s,
                faults=batch.column("faults")[row].as_py() if has_faults else 0,
                **lists,
            )


def _lists(arrays: Sequence[np.ndarray[Any, Any]], dtype: type) -> pa.LargeListArray:
    offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays], dtype=np.int64)])
    values = np.concatenate([np.asarray(array, dtype=dtype) for array in arrays]) if arrays else np.empty(0, dtype)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(values))
