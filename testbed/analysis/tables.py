"""Tables: on a terminal with lines, elsewhere as plain columns; and as plain data."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table

_PLAIN_WIDTH = 200
_WORD = pa.dictionary(pa.int32(), pa.string())


def result_console() -> Console:
    """A console for results on stdout: as wide as it needs to be where that is not a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def print_table(console: Console, table: Table) -> None:
    """Print a table: with lines on a terminal, else as columns of plain text that are never cut."""
    table.box = box.SIMPLE_HEAD if console.is_terminal else None
    if console.is_terminal:
        console.print(table)
    else:
        table.pad_edge = False
        console.print(table, width=max(console.width, _PLAIN_WIDTH), crop=False, overflow="ignore", no_wrap=True)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; NaN becomes None."""
    return [
        {str(key): None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def arrow_table(table: pd.DataFrame) -> pa.Table:
    """The table as it is written to files: numbers as they are, all else as words."""
    columns = {}
    for name in table:
        column = table[name]
        is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        words = [None if pd.isna(value) else str(value) for value in column]
        columns[str(name)] = pa.array(column.to_numpy()) if is_number else pa.array(words).cast(_WORD)
    return pa.table(columns)


def plain_seconds(value: float) -> str:
    """'12.3' of a time in seconds, to three or four digits; '-' for none."""
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def ratio(value: float) -> str:
    """'1.52x'; '-' for none."""
    return "-" if math.isnan(value) else f"{value:.2f}x"


def interval(low: float, high: float, form: Callable[[float], str]) -> str:
    """'1.20-1.81', both written by `form`; '' for none."""
    return "" if math.isnan(low) or math.isnan(high) else f"{form(low)}-{form(high)}"
