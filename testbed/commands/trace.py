"""`testbed trace`: look into traces, make others of them, generate some, and run CoflowSim's semantics on one."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from testbed.commands.trace_options import (
    FACTOR,
    FILE,
    SIZE,
    base_option,
    coflow_ids,
    megabyte_option,
    rate_option,
)
from testbed.errors import SpecError
from testbed.spec.quantities import MAX_HOSTS

if TYPE_CHECKING:
    from testbed.simulation.coflowsim import CoflowSimResult
    from testbed.workload.trace import Trace


@click.group()
def command() -> None:
    """Look into, convert and generate coflow traces."""


@command.command(short_help="Say what is in a trace.")
@click.argument("file", type=FILE)
@base_option
@megabyte_option
@rate_option
@click.option("--json", "as_json", is_flag=True, help="Print plain data instead of a table.")
def info(file: Path, base: str | None, megabyte: float, rate: float, as_json: bool) -> None:
    """Counts, bins, bytes, load per port, Gamma statistics and arrivals of FILE."""
    from testbed.commands.trace_tables import info_table, print_rows
    from testbed.records.files import to_json
    from testbed.workload.trace_info import trace_info

    figures = trace_info(_read(file, base), int(megabyte), rate / 8)
    if as_json:
        click.echo(to_json({"file": str(file), "megabyte": int(megabyte), "rate_bps": rate, **asdict(figures)}))
    else:
        print_rows(*info_table(figures, int(megabyte), rate))


@command.command(short_help="Write some coflows of a trace, scaled or counted otherwise.")
@click.argument("file", type=FILE)
@click.argument("out", type=FILE)
@base_option
@click.option(
    "--to-base", type=click.Choice(["0", "1"]), default="0", help="What OUT counts its ports from; default 0."
)
@click.option("--first", type=click.IntRange(min=0), default=0, help="Leave out so many coflows within the bounds.")
@click.option("--count", type=click.IntRange(min=1), help="Take at most so many coflows.")
@click.option(
    "--ids",
    metavar="IDS",
    callback=coflow_ids,
    help="Take these coflows only: 3,17,41.",
)
@click.option("--max-width", type=click.IntRange(min=1), help="Leave out coflows of more flows.")
@click.option("--max-bytes", metavar="SIZE", callback=SIZE, help="Leave out coflows of more bytes, such as '20 GB'.")
@click.option("--scale-size", type=FACTOR, default=1.0, help="Multiply every size.")
@click.option("--scale-time", type=FACTOR, default=1.0, help="Multiply every arrival.")
@click.option("--from-zero", "shift", is_flag=True, help="Let the first coflow taken arrive at 0.")
@megabyte_option
@click.option("--to-megabyte", metavar="SIZE", callback=SIZE, help="What a MB of OUT shall be; default: as in FILE.")
def convert(
    file: Path,
    out: Path,
    base: str | None,
    to_base: str,
    first: int,
    count: int | None,
    ids: tuple[int, ...] | None,
    max_width: int | None,
    max_bytes: float | None,
    scale_size: float,
    scale_time: float,
    shift: bool,
    megabyte: float,
    to_megabyte: float | None,
) -> None:
    """Write FILE, or some of its coflows, to OUT (gzipped if OUT ends in .gz)."""
    from testbed.spec.workload import SelectSpec, TraceSpec
    from testbed.workload.selection import select
    from testbed.workload.trace import Trace, write_trace
    from testbed.workload.trace_convert import from_zero, scaled

    if ids is not None and (first or count or max_width or max_bytes):
        raise click.UsageError("--ids excludes --first, --count, --max-width and --max-bytes")
    trace = _read(file, base)
    chosen = (
        SelectSpec(ids=ids)
        if ids is not None
        else SelectSpec.model_construct(
            first=first, count=count, max_width=max_width, max_bytes=None if max_bytes is None else int(max_bytes)
        )
    )
    workload = TraceSpec.model_construct(file=str(file), megabyte=int(megabyte), select=chosen)
    coflows = select(trace, workload, lambda _, message: SpecError(f"testbed trace convert: {message}"))
    result = scaled(Trace(trace.ports, coflows), scale_size * megabyte / (to_megabyte or megabyte), scale_time)
    write_trace(from_zero(result) if shift else result, out, int(to_base))
    click.echo(f"{len(coflows)} of {len(trace.coflows)} coflows written to {out}", err=True)


@command.command(short_help="Write a Facebook-like synthetic trace.")
@click.argument("out", type=FILE)
@click.option("--ports", type=click.IntRange(min=2, max=MAX_HOSTS), default=150, show_default=True)
@rate_option
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--coflows", type=click.IntRange(min=1), help="How many; default 100.")
@click.option("--load", type=FACTOR, help="Share of the ports' capacity offered while coflows arrive; default 0.6.")
@click.option("--arrivals", type=click.Choice(["poisson", "bursty"]), help="bursty: as in the public trace.")
@click.option("--short-narrow", type=click.FloatRange(0, 1), help="Share of coflows, as are the next three.")
@click.option("--long-narrow", type=click.FloatRange(0, 1))
@click.option("--short-wide", type=click.FloatRange(0, 1))
@click.option("--long-wide", type=click.FloatRange(0, 1))
@click.option("--max-width", type=click.IntRange(min=1), help="Most flows of a coflow.")
@click.option("--size-scale", type=FACTOR, help="Multiply every size.")
@click.option("--min-bytes", metavar="SIZE", callback=SIZE, help="Enlarge smaller coflows to this.")
@click.option("--max-bytes", metavar="SIZE", callback=SIZE, help="Shrink larger coflows to this.")
@click.option(
    "--to-base", type=click.Choice(["0", "1"]), default="0", help="What OUT counts its ports from; default 0."
)
def generate(out: Path, ports: int, rate: float, seed: int, to_base: str, **given: Any) -> None:
    """Write a Facebook-like synthetic trace to OUT (gzipped if OUT ends in .gz); a MB in it is 10^6 bytes."""
    from testbed.workload.synthetic import SyntheticParameters
    from testbed.workload.synthetic import generate as generate_trace
    from testbed.workload.trace import write_trace

    known = {field.name for field in fields(SyntheticParameters)}
    chosen = {name: value for name, value in given.items() if name in known and value is not None}
    for name in {"min_bytes", "max_bytes"} & set(chosen):
        chosen[name] = int(chosen[name])
    trace = generate_trace(SyntheticParameters(**chosen), ports, seed, rate / 8)
    write_trace(trace, out, int(to_base))
    click.echo(f"{len(trace.coflows)} coflows written to {out}", err=True)


@command.command(short_help="CCT under CoflowSim's approximate semantics.")
@click.argument("file", type=FILE)
@click.option(
    "--scheduler", "schedulers", multiple=True, help="A scheduler of CoflowSim; may be repeated; default: all."
)
@base_option
@click.option("--json", "as_json", is_flag=True, help="Print plain data, with every coflow, instead of a table.")
def coflowsim(file: Path, schedulers: tuple[str, ...], base: str | None, as_json: bool) -> None:
    """CCT of FILE's coflows under CoflowSim's approximate semantics (ports of 2^30 bit/s, MB of 2^20 bytes)."""
    from testbed.commands.trace_tables import coflowsim_rows, print_rows
    from testbed.records.files import to_json
    from testbed.simulation.coflowsim import SCHEDULERS, known_scheduler, run

    names = [known_scheduler(name) for name in schedulers] or list(SCHEDULERS)
    trace = _read(file, base)
    results = []
    for name in names:
        click.echo(f"{name} ...", err=True)  # the public trace takes up to a minute each
        results.append(run(trace, name))
    if as_json:
        click.echo(to_json([_document(result) for result in results]))
    else:
        print_rows(*coflowsim_rows(results))


def _document(result: CoflowSimResult) -> dict[str, Any]:
    columns = {"coflow": result.coflow, "start_ms": result.start_ms, "finish_ms": result.finish_ms}
    coflows = {name: column.tolist() for name, column in columns.items()}
    return {"scheduler": result.scheduler, **result.figures(), "coflows": coflows}


def _read(file: Path, base: str | None) -> Trace:
    from testbed.workload.trace import read_trace

    return read_trace(file, None if base is None else int(base))
