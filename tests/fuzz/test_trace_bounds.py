"""Traces that claim or unpack to more than anybody has."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.workload import trace_lines
from testbed.workload.trace import read_trace

FLOW = "1 0 1 1:1.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 1000000000\n1 0 1 0 1 1:1.0\n",
         "t:2: the file ends after 1 coflows, line 1 announces 1000000000; it was cut short, or line 1 is wrong"),
        ("1000000000 1\n", "t:1: number of ports is 1000000000, expected 1 to 1000000"),
        ("2 1\n1 0 1000000000 0\n", "t:2: the line ends too early: expected port 2 of 1000000000 mappers"),
        ("2 1\n1 0 1 0 1000000000 1:1.0\n", "t:2: the line ends too early: expected reducer 2 of 1000000000"),
        (f"2 1\n{'9' * 400} 0 {FLOW}\n",
         f"t:2: coflow id is '{'9' * 37}...', expected a whole number, 0 or more"),
        ("2 1\n../../x 0 1 0 1 1:1.0\n", "t:2: coflow id is '../../x', expected a whole number, 0 or more"),
        ("2 1\n1 1e400 1 0 1 1:1.0\n", "t:2: arrival in ms is '1e400', expected a number, 0 or more"),
        ("2 1\n1 1e13 1 0 1 1:1.0\n", "t:2: arrival in ms is '1e13', expected at most 1e+12"),
        ("2 1\n1 0 1 0 2 1:1e308 1:1e308\n", "t:2: reducer's MB is '1e308', expected at most 1e+09"),
        ("2 1\n1 0 1 0 1 1:nan\n", "t:2: reducer's MB is 'nan', expected a number, 0 or more"),
    ],
)  # fmt: skip
def test_what_a_trace_claims_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_trace(Path("t"))
    assert str(caught.value) == message


def bomb(path: Path, head: bytes, block: bytes, blocks: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(blocks):
            file.write(block)


@pytest.mark.parametrize(
    ("head", "block", "message"),
    [
        (b"2 1\n", b"0" * 2**20, "t.gz:2: a line of more than 4194304 bytes; this is not a trace"),
        (b"2 1\n1 0 1 0 1 1:1.0\n", (b" " * 1023 + b"\n") * 1024,
         "t.gz:97659: more than 100000000 bytes of text, unpacked; cut the trace"),
    ],
    ids=["one line", "blank lines"],
)  # fmt: skip
def test_a_gzip_file_does_not_unpack_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, block: bytes, message: str
) -> None:
    """A file of some 500 KB that would unpack to more than the bound, and is read no further than that."""
    monkeypatch.chdir(tmp_path)
    bomb(Path("t.gz"), head, block, trace_lines.MAX_TRACE_BYTES // len(block) + 2)
    assert Path("t.gz").stat().st_size < 1_000_000
    with pytest.raises(SpecError) as caught:
        read_trace(Path("t.gz"))
    assert str(caught.value) == message
