"""`testbed calibrate`: measure what this machine carries, and store it for `plan`, `run` and `link.rate: auto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from testbed.calibration.store import Calibration

QUIET = 0.1
"""Share of the processors that other programs may have used before the figures are doubted."""


@click.command()
@click.option(
    "--datapath", "datapaths", multiple=True, type=click.Choice(["ovs-user", "ovs-kernel", "router"]),
    help="This one only (may be given several times); default: those that this machine has.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(1, 60), default=3.0, show_default=True, help="Of each measurement.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def command(datapaths: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Measure how many packets and bytes per second each datapath forwards, how late timers are and how long
    containers take to start; store it. As root, in under a minute, on a machine that does nothing else.
    """
    import orjson

    from testbed.calibration.store import stored, write
    from testbed.display import Display
    from testbed.emulation.calibrate import calibrate
    from testbed.errors import CalibrationError

    display = Display()
    found = calibrate(datapaths, seconds=seconds, say=display.detail)
    try:
        earlier = stored()
    except CalibrationError:  # of another machine or version: this one takes its place
        earlier = None
    path = write(found.beside(earlier))
    if as_json:
        click.echo(orjson.dumps({"file": str(path), **found.document()}, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(found)
        click.echo(f"stored in {path}")
    foreign = max(point.foreign for one in found.datapaths.values() for point in one.points)
    if foreign > QUIET:
        display.say(
            f"warning: other programs used up to {foreign:.0%} of the processors meanwhile, so these figures are too "
            "low: close them and calibrate again"
        )


def _print(found: Calibration) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from testbed.units import format_rate, format_size, format_time

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    table = Table(title=f"{found.topology}, {found.machine}", box=box.SIMPLE, title_justify="left")
    table.add_column("datapath")
    columns = ("MTU", "frames x hops/s", "bytes x hops/s", "goodput in all", "of links of", "round trip", "per frame",
               "per byte")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    for name, one in found.datapaths.items():
        for point in one.points:
            table.add_row(
                name, str(point.mtu), f"{point.frame_hops_per_s:,.0f}", format_size(point.byte_hops_per_s),
                format_rate(point.goodput_bps), format_rate(point.rate_bps), format_time(point.round_trip_s),
                f"{one.cost.frame_s * 1e6:.3g} us", f"{one.cost.byte_s * 1e9:.3g} ns",
            )  # fmt: skip
    console.print(table)
    lag = found.timer_lag_s
    click.echo(
        f"timers: {format_time(lag['median'])} late at the median, {format_time(lag['p99'])} at the 99th percentile"
    )
    click.echo(
        f"containers: {format_time(found.container_start_s)} to start, {format_size(found.host_memory_bytes)} each"
    )
