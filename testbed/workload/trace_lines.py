"""The lines of a trace file, plain or gzipped, in bounded memory; and files that appear whole or not at all."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from testbed.errors import SpecError

MAX_LINE_BYTES = 4 * 2**20
"""A longer line is taken for something that is not a trace: 100,000 mappers and as many reducers need 2 MB."""

MAX_TRACE_BYTES = 100_000_000
"""Of text, unpacked. The public trace has 140,000; a gzip file of a megabyte can unpack to a gigabyte."""

_GZIP_MAGIC = b"\x1f\x8b"


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of each line; gzip is told by its first bytes, not by the file's name.

    SpecError (`file:line:`) where the file is missing, unreadable, not text, has a line beyond MAX_LINE_BYTES, or
    more than MAX_TRACE_BYTES in all.
    """
    line = total = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == _GZIP_MAGIC
            lines = gzip.GzipFile(fileobj=raw) if zipped else raw
            while data := lines.readline(MAX_LINE_BYTES + 1):
                line += 1
                if len(data) > MAX_LINE_BYTES:
                    raise SpecError(f"{path}:{line}: a line of more than {MAX_LINE_BYTES} bytes; this is not a trace")
                total += len(data)
                if total > MAX_TRACE_BYTES:
                    text = "text, unpacked" if zipped else "text"
                    raise SpecError(f"{path}:{line}: more than {MAX_TRACE_BYTES} bytes of {text}; cut the trace")
                yield line, data.decode("ascii")
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; expected a trace in the coflow-benchmark format") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}:{line}: not plain text; expected a trace in the coflow-benchmark format") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SpecError(f"{path}:{line + 1}: the gzip data is damaged or cut short ({error})") from None
    except OSError as error:
        raise SpecError(f"{path}: not readable ({error.strerror or error})") from None


def write_whole(path: Path, text: str) -> None:
    """Write `text`, gzipped if the name ends in .gz, so that `path` is either left as it was or complete.

    SpecError where the folder is missing or not writable, or `path` is there and not a file.
    """
    data = text.encode("ascii")
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)  # no time stamp: the same trace gives the same bytes
    if path.exists() and not path.is_file():  # a device, say: the rename below would replace it
        raise SpecError(f"{path}: not a regular file; nothing was written")
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise SpecError(f"{path}: cannot be written ({error.strerror or error}); nothing was written") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
