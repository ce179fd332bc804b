"""Reading and writing traces: what is accepted, and every mistake in its own words."""

from __future__ import annotations

import gzip
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import SpecError
from testbed.workload.trace import Trace, TraceCoflow, read_trace, write_trace
from testbed.workload.trace_lines import MAX_LINE_BYTES

SMALL = "3 2\n1 0 2 0 1 1 2:4.0\n7 1500 1 1 2 0:1.0 2:2.5\n"
SMALL_TRACE = Trace(
    3,
    (
        TraceCoflow(1, 0.0, (0, 1), ((2, 4.0),)),
        TraceCoflow(7, 1.5, (1,), ((0, 1.0), (2, 2.5))),
    ),
)


def written(folder: Path, text: str | bytes, name: str = "t.txt") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path, base: int | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        read_trace(path, base)
    assert caught.value.exit_status == 2
    return str(caught.value).replace(str(path), "FILE")


def outcome(path: Path) -> str:
    try:
        read_trace(path)
    except SpecError as error:
        return "refused" if re.match(r"[^:]+:\d+: ", str(error)) else str(error)
    return "read"


def test_it_reads_a_trace(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, SMALL))
    assert trace == SMALL_TRACE
    assert trace.base == 0
    first, second = trace.coflows
    assert (first.width, first.megabytes, first.longest_flow_megabytes) == (2, 4.0, 2.0)
    assert (second.width, second.megabytes, second.longest_flow_megabytes) == (2, 3.5, 2.5)


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n", "\r\n"),
        SMALL + "\n\n  \n",
        SMALL.rstrip("\n"),
        SMALL.replace(" ", "\t "),
        SMALL.replace("4.0", "4").replace("2.5", "2.5e0"),
    ],
    ids=["CRLF", "blank lines at the end", "no newline at the end", "tabs", "other ways to write a number"],
)
def test_it_reads_the_same_however_it_is_laid_out(tmp_path: Path, text: str) -> None:
    assert read_trace(written(tmp_path, text)) == SMALL_TRACE


def test_gzip_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, gzip.compress(SMALL.encode()), "no-suffix")) == SMALL_TRACE
    assert read_trace(written(tmp_path, SMALL, "plain.gz")) == SMALL_TRACE


def test_a_port_equal_to_their_number_means_that_ports_count_from_1(tmp_path: Path) -> None:
    one_based = "3 2\n1 0 2 1 2 1 3:4.0\n7 1500 1 2 2 1:1.0 3:2.5\n"
    trace = read_trace(written(tmp_path, one_based))
    assert trace == SMALL_TRACE
    assert trace.base == 1


def test_without_a_telling_port_the_format_decides_unless_it_is_forced(tmp_path: Path) -> None:
    path = written(tmp_path, "3 1\n1 0 1 1 1 2:4.0\n")
    assert read_trace(path).coflows[0].mappers == (1,)
    assert read_trace(path, base=1).coflows[0].mappers == (0,)
    assert read_trace(path, base=0).coflows[0].mappers == (1,)


def test_two_mappers_on_one_port_and_two_reducers_on_one_port_are_kept_apart(tmp_path: Path) -> None:
    coflow = read_trace(written(tmp_path, "3 1\n1 0 2 0 0 2 2:4.0 2:1.0\n")).coflows[0]
    assert coflow.mappers == (0, 0)
    assert coflow.reducers == ((2, 4.0), (2, 1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FILE:1: found '', expected a first line '<ports> <coflows>'"),
        ("3\n", "FILE:1: found '3', expected a first line '<ports> <coflows>'"),
        ("3 x\n", "FILE:1: number of coflows is 'x', expected a whole number, 0 or more"),
        ("0 1\n", "FILE:1: number of ports is 0, expected 1 to 1000000"),
        ("9999999 1\n", "FILE:1: number of ports is 9999999, expected 1 to 1000000"),
        ("3 0\n", "FILE:1: number of coflows is 0, expected at least 1"),
        ("-3 1\n", "FILE:1: number of ports is '-3', expected a whole number, 0 or more"),
        (
            "3 1000000000\n1 0 1 0 1 2:4.0\n",
            "FILE:2: the file ends after 1 coflows, line 1 announces 1000000000; it was cut short, or line 1 is wrong",
        ),
        (
            "3 1\n1 0 1 0 1 2:4.0\n2 0 1 0 1 2:4.0\n",
            "FILE:3: more coflows than the 1 that line 1 announces; correct line 1 or cut here",
        ),
        (
            "3 2\n1 0 1 0 1 2:4.0\n\n2 0 1 0 1 2:4.0\n",
            "FILE:4: found '2 0 1 0 1 2:4.0' after a blank line; remove the blank line",
        ),
        ("3 1\nx 0 1 0 1 2:4.0\n", "FILE:2: coflow id is 'x', expected a whole number, 0 or more"),
        ("3 1\n1\n", "FILE:2: the line ends too early: expected the arrival in ms"),
        ("3 1\n1 0\n", "FILE:2: the line ends too early: expected the number of mappers"),
        ("3 1\n1 0 1000000000 0\n", "FILE:2: the line ends too early: expected port 2 of 1000000000 mappers"),
        ("3 1\n1 0 1 0\n", "FILE:2: the line ends too early: expected the number of reducers"),
        ("3 1\n1 0 1 0 2 2:4.0\n", "FILE:2: the line ends too early: expected reducer 2 of 2"),
        ("3 1\n1 -5 1 0 1 2:4.0\n", "FILE:2: arrival in ms is '-5', expected a number, 0 or more"),
        ("3 1\n1 nan 1 0 1 2:4.0\n", "FILE:2: arrival in ms is 'nan', expected a number, 0 or more"),
        ("3 1\n1 1_0 1 0 1 2:4.0\n", "FILE:2: arrival in ms is '1_0', expected a number, 0 or more"),
        ("3 1\n1 0 0 1 2:4.0\n", "FILE:2: number of mappers is 0, expected at least 1; leave the coflow out"),
        ("3 1\n1 0 1 0 0\n", "FILE:2: number of reducers is 0, expected at least 1; leave the coflow out"),
        ("3 1\n1 0 1 0 1 24.0\n", "FILE:2: reducer '24.0' has no ':', expected '<port>:<MB>'"),
        ("3 1\n1 0 1 0 1 2:\n", "FILE:2: reducer's MB is '', expected a number, 0 or more"),
        ("3 1\n1 0 1 0 1 2:-4\n", "FILE:2: reducer's MB is '-4', expected a number, 0 or more"),
        ("3 1\n1 0 1 0 1 2:NaN\n", "FILE:2: reducer's MB is 'NaN', expected a number, 0 or more"),
        ("3 1\n1 0 1 0 1 2:1e999\n", "FILE:2: reducer's MB is '1e999', expected a number, 0 or more"),
        ("3 1\n1 0 1 0 1 2:0.0\n", "FILE:2: reducer '2:0.0' receives nothing, expected more than 0 MB; leave it out"),
        ("3 1\n1 0 1 0 1 x:4.0\n", "FILE:2: port is 'x', expected a whole number, 0 or more"),
        (
            "3 1\n1 0 1 0 1 2:4.0 1:1.0\n",
            "FILE:2: found '1:1.0' after the last of 1 reducers; the number of mappers or of reducers is wrong",
        ),
        ("3 2\n5 0 1 0 1 2:4.0\n5 1 1 0 1 2:1.0\n", "FILE:3: coflow id 5 was used on line 2; ids are unique"),
        ("3 1\n1 0 1 0 1 4:4.0\n", "FILE:2: port 4 is out of range: line 1 announces 3 ports"),
        (
            "3 2\n1 0 1 0 1 2:4.0\n2 0 1 1 1 3:4.0\n",
            "FILE:3: port 3: the file has a port 0 (FILE:2) and a port 3 (FILE:3), but line 1 announces 3 ports",
        ),
        (
            "3 1\n" + "1" * 60 + " 0 1 0 1 2:4.0\n",
            "FILE:2: coflow id is '1111111111111111111111111111111111111...', expected a whole number, 0 or more",
        ),
    ],
)
def test_every_mistake_says_where_what_and_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(written(tmp_path, text)) == message


def test_ports_beside_a_forced_base_are_out_of_range(tmp_path: Path) -> None:
    zero = written(tmp_path, "3 1\n1 0 1 0 1 2:4.0\n")
    assert refusal(zero, base=1) == (
        "FILE:2: port 0 is out of range: line 1 announces 3 ports, counted from 1, so 1 to 3"
    )
    three = written(tmp_path, "3 1\n1 0 1 1 1 3:4.0\n")
    assert refusal(three, base=0) == (
        "FILE:2: port 3 is out of range: line 1 announces 3 ports, counted from 0, so 0 to 2"
    )
    assert refusal(three, base=2) == "ports are counted from 2, expected 0 or 1 (or None: tell from the file)"


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "FILE: no such file; expected a trace in the coflow-benchmark format"
    assert refusal(tmp_path) == "FILE: not readable (Is a directory)"
    assert refusal(written(tmp_path, b"3 1\n\xff\xfe\n")) == (
        "FILE:2: not plain text; expected a trace in the coflow-benchmark format"
    )
    damaged = gzip.compress(SMALL.encode())[:15]
    message = refusal(written(tmp_path, damaged))  # how many lines come out before the cut is up to zlib
    assert re.sub(r"FILE:\d", "FILE:N", message) == (
        "FILE:N: the gzip data is damaged or cut short "
        "(Compressed file ended before the end-of-stream marker was reached)"
    )


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    bomb = gzip.compress(b"3 1\n" + b" " * (MAX_LINE_BYTES + 1))
    assert refusal(written(tmp_path, bomb)) == "FILE:2: a line of more than 4194304 bytes; this is not a trace"


@pytest.mark.parametrize(("name", "base"), [("t.txt", 0), ("t.txt", 1), ("t.txt.gz", 1)])
def test_what_was_written_reads_the_same(tmp_path: Path, name: str, base: int) -> None:
    write_trace(SMALL_TRACE, tmp_path / name, base)
    assert read_trace(tmp_path / name, base) == SMALL_TRACE


def test_it_writes_what_the_public_trace_looks_like(tmp_path: Path) -> None:
    write_trace(SMALL_TRACE, tmp_path / "t.txt")
    assert (tmp_path / "t.txt").read_text() == SMALL
    assert stat.S_IMODE((tmp_path / "t.txt").stat().st_mode) == 0o644


def test_the_same_trace_gives_the_same_gzip_bytes(tmp_path: Path) -> None:
    write_trace(SMALL_TRACE, tmp_path / "a.gz")
    write_trace(SMALL_TRACE, tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_nothing_is_written_where_it_cannot_be_written_whole(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "t.txt"
    with pytest.raises(SpecError) as caught:
        write_trace(SMALL_TRACE, missing)
    assert str(caught.value) == f"{missing}: cannot be written (No such file or directory); nothing was written"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SpecError) as caught:
        write_trace(SMALL_TRACE, pipe)
    assert str(caught.value) == f"{pipe}: not a regular file; nothing was written"
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


coflows = st.builds(
    TraceCoflow,
    id=st.just(0),
    arrival_s=st.integers(0, 10**12).map(lambda ns: round(ns / 1e9, 9)),
    mappers=st.lists(st.integers(0, 19), min_size=1, max_size=6).map(tuple),
    reducers=st.lists(
        st.tuples(st.integers(0, 19), st.integers(1, 10**12).map(lambda size: size / 10**6)), min_size=1, max_size=6
    ).map(tuple),
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(coflows, min_size=1, max_size=8), st.sampled_from([0, 1]))
def test_any_trace_survives_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[TraceCoflow], base: int
) -> None:
    numbered = (TraceCoflow(i, c.arrival_s, c.mappers, c.reducers) for i, c in enumerate(drawn))
    trace = Trace(20, tuple(numbered))
    path = tmp_path_factory.mktemp("traces") / "t.txt"
    write_trace(trace, path, base)
    assert read_trace(path, base) == trace


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(alphabet="0123456789 :.\n-e", max_size=60))
def test_any_text_is_read_or_refused_in_one_way(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = written(tmp_path_factory.mktemp("texts"), "2 1\n" + text)
    assert outcome(path) in ("read", "refused")
