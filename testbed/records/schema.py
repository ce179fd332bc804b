"""What the columns of `flows` and `coflows` are: name, type, meaning. The CSV and Parquet files follow these tables.

Times are seconds since the run's start instant, rates in records are goodput, and an empty cell means that the thing
did not happen or does not apply. Columns are only ever added at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

_TEXT = pa.string()
_WORD = pa.dictionary(pa.int32(), pa.string())
_INT = pa.int64()
_FLOAT = pa.float64()
_BOOL = pa.bool_()


@dataclass(frozen=True)
class Column:
    """One column of a record file. A `nullable` whole number or truth value may be empty; any float may be."""

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = False


_RUN = (
    Column("source", _WORD, "emulation or simulation"),
    Column("scheduler", _WORD, "name, with the parameters that differ from the defaults"),
    Column("repeat", _INT, "number of the repeat"),
)

COFLOWS: tuple[Column, ...] = (
    *_RUN,
    Column("coflow", _INT, "id of the true coflow"),
    Column("arrival_s", _FLOAT, "when it arrived; for a coflow that starts after others, what came true"),
    Column("finish_s", _FLOAT, "last byte received of its last flow; empty unless every flow finished"),
    Column("cct_s", _FLOAT, "coflow completion time: finish_s - arrival_s"),
    Column("flows", _INT, "number of its flows (after merging)"),
    Column("bytes", _INT, "total size"),
    Column("gamma_s", _FLOAT, "the least possible CCT: alone on the empty fabric"),
    Column("deadline_s", _FLOAT, "seconds after arrival; empty for none"),
    Column("met", _BOOL, "whether cct_s is within deadline_s; empty without a deadline", nullable=True),
    Column("delivered", _FLOAT, "share of its bytes that was received, 0 to 1"),
    Column("admitted", _BOOL, "false where the scheduler rejected it"),
)

FLOWS: tuple[Column, ...] = (
    *_RUN,
    Column("coflow", _INT, "id of the true coflow; empty for background", nullable=True),
    Column("label", _INT, "coflow id that the scheduler was told; empty for none", nullable=True),
    Column("flow", _INT, "id: the flow's row in the plan"),
    Column("from", _INT, "host number of the sender"),
    Column("to", _INT, "host number of the receiver"),
    Column("bytes", _INT, "size; empty for a background flow without end", nullable=True),
    Column("planned_start_s", _FLOAT, "planned instant; for a flow that starts after others, what came true"),
    Column("start_s", _FLOAT, "first write on a connection opened beforehand"),
    Column("first_byte_s", _FLOAT, "first byte at the receiver"),
    Column("finish_s", _FLOAT, "last byte at the receiver; empty where it did not finish"),
    Column("fct_s", _FLOAT, "flow completion time: finish_s - planned_start_s, so waiting counts"),
    Column("sent_bytes", _INT, "bytes written by the sender"),
    Column("received_bytes", _INT, "bytes counted by the receiver"),
    Column("retransmits", _INT, "segments that TCP sent again"),
    Column("rtt_s", _FLOAT, "TCP's smoothed round-trip time at the end"),
    Column("path", _WORD, "nodes crossed, as in h0->e0->h1"),
    Column("reason", _WORD, "why it did not finish: cut, rejected, interrupted or an error; empty where it did"),
)


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Parquet schema of a table."""
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def to_frame(table: pa.Table, columns: tuple[Column, ...]) -> pd.DataFrame:
    """A read table as a DataFrame: int64, float64 and bool where a column is never empty, Int64 and boolean else."""
    nullable = {_INT: pd.Int64Dtype(), _BOOL: pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    plain = {_INT: "int64", _BOOL: "bool"}
    return frame.astype({c.name: plain[c.type] for c in columns if c.type in plain and not c.nullable})
