"""`testbed trace`, from the command line's arguments to what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from testbed.commands.trace import command
from testbed.errors import SchedulerError, SpecError
from testbed.workload.trace import read_trace

SMALL = "3 3\n1 100 2 0 1 1 2:4.0\n7 1500 1 1 2 0:1.0 2:2.5\n9 2100 1 0 1 1:64.0\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.txt"
    path.write_text(SMALL)
    return path


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def documented(*arguments: object) -> Any:
    result = ran(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_info_prints_the_figures(small: Path) -> None:
    result = ran("info", small)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines == [
        "ports 3, counted from 0",
        "coflows 3, 1 of them of one flow",
        "flows 5, widest coflow 2, 0 from a port to itself",
        "MB 71.5, smallest coflow 3.5, largest 64",
        "bytes 71.5 MB at 1000000 per MB, 89.5% in one coflow",
        "bin SN 2 coflows, 66.7%, with 10.49% of the bytes",
        "bin LN 1 coflows, 33.3%, with 89.51% of the bytes",
        "bin SW 0 coflows, 0.0%, with 0.00% of the bytes",
        "bin LW 0 coflows, 0.0%, with 0.00% of the bytes",
        "arrivals 100 ms to 2.1 s, mean gap 1 s, coefficient of variation 0.40",
        "port rate 1.02 Gbit/s",
        "Gamma alone mean 186 ms, median 31.2 ms, p95 453 ms, largest 500 ms",
        "load in mean 9.3%, median 2.1%, p95 23.4%, largest 25.8%",
        "load out mean 9.3%, median 2.5%, p95 22.8%, largest 25.0%",
    ]


def test_info_as_plain_data_at_another_rate_and_megabyte(small: Path) -> None:
    figures = documented("info", small, "--megabyte", "1 MiB", "--rate", "8 MiB/s")
    assert figures["file"] == str(small)
    assert (figures["megabyte"], figures["rate_bps"], figures["coflows"]) == (2**20, 2**26, 3)
    assert figures["gamma_s"]["largest"] == 8.0
    assert figures["bins"]["SN"]["coflows"] == 2


def test_info_says_where_counting_from_0_is_an_assumption(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("3 1\n1 0 1 1 1 2:4.0\n")
    assert "3, counted from 0 (assumed: no port 0 and no port 3)" in ran("info", path).stdout
    assert "3, counted from 1" in ran("info", path, "--base", "1").stdout
    assert "no gaps" in ran("info", path).stdout


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ((), [1, 7, 9]),
        (("--ids", "9,1"), [9, 1]),
        (("--first", 1), [7, 9]),
        (("--count", 2), [1, 7]),
        (("--max-width", 1), [9]),
        (("--max-bytes", "3.9 MB"), [7]),
        (("--max-bytes", "5 MB", "--first", 1, "--count", 1), [7]),
    ],
)
def test_convert_takes_some_coflows(small: Path, tmp_path: Path, arguments: tuple[object, ...], ids: list[int]) -> None:
    result = ran("convert", small, tmp_path / "out.txt", *arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == f"{len(ids)} of 3 coflows written to {tmp_path / 'out.txt'}\n"
    assert [coflow.id for coflow in read_trace(tmp_path / "out.txt").coflows] == ids


def test_convert_scales_moves_and_counts_from_1_into_gzip(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt.gz"
    arguments = ("--scale-size", 0.5, "--scale-time", 0.1, "--from-zero", "--to-base", 1)
    assert ran("convert", small, out, *arguments).exit_code == 0
    trace = read_trace(out)
    assert trace.base == 1
    assert [coflow.arrival_s for coflow in trace.coflows] == [0.0, 0.14, 0.2]
    assert trace.coflows[0].mappers == (0, 1)
    assert trace.coflows[0].reducers == ((2, 2.0),)


def test_convert_can_change_what_a_megabyte_means(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    assert ran("convert", small, out, "--megabyte", "1 MiB", "--to-megabyte", "1 MB").exit_code == 0
    assert read_trace(out).coflows[0].megabytes == pytest.approx(4 * 2**20 / 10**6, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ids", "5"), "testbed trace convert: no coflow 5 in FILE, which has 3 coflows"),
        (
            ("--max-width", 2, "--first", 3),
            "testbed trace convert: selects nothing: 3 of 3 coflows in FILE are within the bounds, and first is 3",
        ),
    ],
)
def test_convert_writes_nothing_where_it_takes_nothing(
    small: Path, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = ran("convert", small, tmp_path / "out.txt", *arguments)
    assert isinstance(result.exception, SpecError)
    assert str(result.exception).replace(str(small), "FILE") == message
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ids", "1,x"), "Invalid value for '--ids': '1,x', expected coflow ids as in '3,17,41'"),
        (("--ids", "1,1"), "Invalid value for '--ids': '1,1' has an id twice"),
        (("--ids", "1", "--count", 2), "--ids excludes --first, --count, --max-width and --max-bytes"),
        (("--max-bytes", "0 MB"), "Invalid value for '--max-bytes': '0 MB' is nothing, expected more than 0"),
    ],
)
def test_wrong_usage_of_convert(small: Path, tmp_path: Path, arguments: tuple[object, ...], message: str) -> None:
    result = ran("convert", small, tmp_path / "out.txt", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_a_size_without_a_unit_shows_the_right_form(small: Path) -> None:
    result = ran("info", small, "--megabyte", "5")
    assert result.exit_code == 2
    assert "not a size: '5', expected the form '256 KB'" in result.stderr


def test_generate_writes_what_info_then_shows(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    assert ran("generate", out, "--ports", 16, "--coflows", 100, "--load", 0.5).exit_code == 0
    figures = documented("info", out)
    assert (figures["ports"], figures["coflows"]) == (16, 100)
    assert {name: bin_["coflows"] for name, bin_ in figures["bins"].items()} == {"SN": 59, "LN": 17, "SW": 11, "LW": 13}
    assert figures["in_load"]["mean"] == pytest.approx(0.5, rel=1e-6)
    assert ran("generate", out, "--max-bytes", "1 GB", "--size-scale", 0.1).exit_code == 0
    assert documented("info", out)["largest_megabytes"] == pytest.approx(1000)


def test_generate_is_repeatable_to_the_byte(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        assert ran("generate", tmp_path / name, "--seed", 5, "--arrivals", "bursty").exit_code == 0
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_generate_refuses_shares_that_do_not_add_up(tmp_path: Path) -> None:
    result = ran("generate", tmp_path / "out.txt", "--short-narrow", 1)
    assert isinstance(result.exception, SpecError)
    assert not (tmp_path / "out.txt").exists()


def test_coflowsim_prints_one_row_per_scheduler(small: Path) -> None:
    result = ran("coflowsim", small, "--scheduler", "fair", "--scheduler", "SEBF")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["scheduler", "sum", "ms", "mean", "ms", "median", "ms", "p95", "ms"]
    assert [row[0] for row in rows[1:]] == ["FAIR", "SEBF"]


def test_coflowsim_as_plain_data_has_every_coflow(small: Path) -> None:
    (document,) = documented("coflowsim", small, "--scheduler", "SEBF")
    coflows = document.pop("coflows")
    assert coflows["coflow"] == [1, 7, 9]
    assert coflows["start_ms"] == [0, 0, 0]
    ccts = [finish - start for start, finish in zip(coflows["start_ms"], coflows["finish_ms"], strict=True)]
    assert document["sum_ms"] == sum(ccts)
    assert document["scheduler"] == "SEBF"


def test_coflowsim_lists_what_it_knows(small: Path) -> None:
    result = ran("coflowsim", small, "--scheduler", "sbef")
    assert isinstance(result.exception, SchedulerError)
    assert str(result.exception) == (
        "coflowsim mode: unknown scheduler 'SBEF'; did you mean 'SEBF'? "
        "known: DARK, FAIR, FIFO, LCF, NCF, PFP, SCF, SEBF"
    )
