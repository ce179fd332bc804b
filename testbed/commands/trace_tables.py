"""What `testbed trace` prints where no JSON is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from testbed.simulation.coflowsim import CoflowSimResult
from testbed.units import format_rate, format_size, format_time
from testbed.workload.trace_info import Spread, TraceInfo

Rows = list[tuple[str, ...]]


def print_rows(headings: Sequence[str], rows: Rows) -> None:
    """Print a table whose first column is text and whose others are figures."""
    from rich.table import Table

    from testbed.analysis.tables import print_table, result_console

    table = Table(show_header=any(headings))
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i == 0 or not any(headings) else "right")
    for row in rows:
        table.add_row(*row)
    print_table(result_console(), table)


def info_table(info: TraceInfo, megabyte: int, rate_bps: float) -> tuple[Sequence[str], Rows]:
    """The figures of a trace in words."""
    sure = "" if info.base_is_sure else f" (assumed: no port 0 and no port {info.ports})"
    rows = [
        ("ports", f"{info.ports}, counted from {info.base}{sure}"),
        ("coflows", f"{info.coflows}, {info.single_flow} of them of one flow"),
        ("flows", f"{info.flows}, widest coflow {info.widest}, {info.loopback_flows} from a port to itself"),
        (
            "MB",
            f"{info.megabytes:.10g}, smallest coflow {info.smallest_megabytes:g}, largest {info.largest_megabytes:g}",
        ),
        (
            "bytes",
            f"{format_size(info.megabytes * megabyte)} at {megabyte} per MB, {info.largest_share:.1%} in one coflow",
        ),
    ]
    rows += [
        (f"bin {name}", f"{bin_.coflows} coflows, {bin_.coflow_share:.1%}, with {bin_.byte_share:.2%} of the bytes")
        for name, bin_ in info.bins.items()
    ]
    return ("", ""), [
        *rows,
        ("arrivals", f"{format_time(info.first_arrival_s)} to {format_time(info.last_arrival_s)}, {_gaps(info)}"),
        ("port rate", format_rate(rate_bps)),
        ("Gamma alone", _spread(info.gamma_s, format_time)),
        ("load in", _spread(info.in_load, _share)),
        ("load out", _spread(info.out_load, _share)),
    ]


def _gaps(info: TraceInfo) -> str:
    if math.isnan(info.gap_variation):
        return "no gaps"
    return f"mean gap {format_time(info.gap_mean_s)}, coefficient of variation {info.gap_variation:.2f}"


def _spread(spread: Spread, form: Callable[[float], str]) -> str:
    figures = {"mean": spread.mean, "median": spread.median, "p95": spread.p95, "largest": spread.largest}
    return ", ".join(f"{name} {form(value)}" for name, value in figures.items())


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def coflowsim_rows(results: list[CoflowSimResult]) -> tuple[Sequence[str], Rows]:
    """One row per scheduler: CCT in ms."""
    rows = [(result.scheduler, *(f"{value:.8g}" for value in result.figures().values())) for result in results]
    return ("scheduler", "sum ms", "mean ms", "median ms", "p95 ms"), [tuple(row) for row in rows]
