"""Options that the commands under `testbed trace` share: quantities with units, and what a trace file means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from testbed.units import parse_rate_bps, parse_size

Command = TypeVar("Command", bound=Callable[..., Any])

Callback = Callable[[click.Context, click.Parameter, "str | None"], "float | None"]

FILE = click.Path(path_type=Path)


def _quantity(parse: Callable[[object], float]) -> Callback:
    """Turns an option into base units by one of the parsers of `testbed.units`; None stays None."""

    def convert(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        try:
            quantity = parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, option) from None
        if quantity <= 0:
            raise click.BadParameter(f"{value!r} is nothing, expected more than 0", context, option)
        return quantity

    return convert


def coflow_ids(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Turns '3,17,41' into coflow ids; None stays None."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")]
    if not all(word.isdecimal() for word in words):
        raise click.BadParameter(f"{value!r}, expected coflow ids as in '3,17,41'", context, option)
    ids = tuple(int(word) for word in words)
    if len(set(ids)) < len(ids):
        raise click.BadParameter(f"{value!r} has an id twice", context, option)
    return ids


SIZE = _quantity(parse_size)
RATE_BPS = _quantity(parse_rate_bps)
FACTOR = click.FloatRange(min=0, max=1e9, min_open=True)


def base_option(command: Command) -> Command:
    """`--base`: what the file read counts its ports from."""
    return click.option(
        "--base",
        type=click.Choice(["0", "1"]),
        help="What FILE counts its ports from; default: told from the ports in it, else 0.",
    )(command)


def megabyte_option(command: Command) -> Command:
    """`--megabyte`: how many bytes a MB of the file is."""
    return click.option(
        "--megabyte",
        metavar="SIZE",
        callback=SIZE,
        default="1 MB",
        show_default=True,
        help="What a MB of FILE is: 1 MB or 1 MiB.",
    )(command)


def rate_option(command: Command) -> Command:
    """`--rate`: the ports' rate."""
    return click.option(
        "--rate",
        metavar="RATE",
        callback=RATE_BPS,
        default="128 MB/s",
        show_default=True,
        help="Rate of each port, each way.",
    )(command)
