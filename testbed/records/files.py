"""Files that are there whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from testbed.errors import RecordsError

_JSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`: renamed onto it when the block ends well, removed when it does not.

    RecordsError where the disk refuses (full, read-only, no permission).
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise RecordsError(f"{path}: cannot be written ({reason}); expected room and permission there") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """RecordsError where the disk refuses what the block writes below `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        where = error.filename or path
        raise RecordsError(f"{where}: cannot be written ({reason}); expected room and permission there") from error


def to_json(document: Any) -> str:
    """Plain data, dataclasses and numpy arrays as indented JSON; NaN becomes null, anything else its text."""
    return orjson.dumps(document, default=str, option=_JSON).decode()


def write_json(path: Path, document: Any) -> None:
    """Write a document as `to_json` puts it."""
    with replacing(path) as temporary:
        temporary.write_bytes(to_json(document).encode() + b"\n")


def read_json(path: Path) -> Any:
    """The document of a file; RecordsError where it is missing or not JSON."""
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise RecordsError(f"{path}: cannot be read ({error.strerror}); expected a complete run directory") from None
    except orjson.JSONDecodeError as error:
        raise RecordsError(f"{path}: not readable as JSON ({error})") from None


def read_index(path: Path, version: int) -> dict[str, Any]:
    """The document of a file that states its `format`; RecordsError where that is not this version."""
    document = read_json(path)
    found = document.get("format") if isinstance(document, dict) else None
    if found != version:
        raise RecordsError(f"{path}: format {found}, expected {version}: written by another version")
    return dict(document)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as compressed Parquet."""
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, compression="zstd")


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a file, or those of `columns` that it has; RecordsError where it is missing or not Parquet."""
    try:
        return pyarrow.parquet.read_table(path, columns=columns)
    except FileNotFoundError:
        raise RecordsError(f"{path}: no such file; expected a complete run directory") from None
    except (OSError, pa.ArrowException) as error:
        raise RecordsError(f"{path}: not readable as Parquet ({str(error).splitlines()[0]})") from None


def write_csv(path: Path, table: pa.Table) -> None:
    """Write a table as CSV with a plain header; nulls are empty cells, texts are in quotes only if one needs them."""
    style = "needed" if _needs_quotes(table) else "none"  # Arrow's "needed" puts every text in quotes
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style=style)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        for batch in table.to_batches(max_chunksize=65_536):
            pyarrow.csv.write_csv(_spelled_out(batch), file, write_options=options)


def _needs_quotes(table: pa.Table) -> bool:
    words = {word for column in table.columns if pa.types.is_dictionary(column.type)
             for chunk in column.chunks for word in chunk.dictionary.to_pylist()}  # fmt: skip
    return any(set(word) & set(',"\r\n') for word in words)


def _spelled_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Dictionary columns as plain text, which is all that the CSV writer takes."""
    columns = [c.dictionary_decode() if isinstance(c, pa.DictionaryArray) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
