"""What one TCP flow gets of an OpenFlow meter: share of its rate, by rate, MTU and congestion control.

Each flow runs from a host to another one on a big switch, all at the same time, each through a meter of its own whose
burst is that of `testbed.rules.meters`. "after burst" leaves out the bytes of the first burst, which pass at once.
"overshoot" is the largest excess over rate x time within any second after the first, as a share of the rate.

Run as root on a quiet machine: .venv/bin/python benchmarks/meter_rates.py [--seconds 20] [--mtu 9000] [--json]
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass

import click
import numpy as np
import orjson
from bare_network import bare_network, tcp_flow

from testbed.fabric import frame_share
from testbed.rules.edge import Change
from testbed.rules.meters import meter_for

PORT = 5000
_TOTAL_RETRANSMITS = 100
"""Offset in TCP_INFO."""


@dataclass
class Result:
    """One flow's share of its meter."""

    rate_mbps: float
    mtu: int
    congestion: str
    share: float
    after_burst: float
    overshoot: float
    retransmits: int


def transfer(sender: socket.socket, receiver: socket.socket, seconds: float) -> list[tuple[float, int]]:
    """Send as much as TCP will; (seconds, bytes received by then), as they came."""
    began = time.monotonic()
    series = [(0.0, 0)]

    def send() -> None:
        block = bytes(1 << 16)
        sender.settimeout(0.2)
        while time.monotonic() < began + seconds:
            try:
                sender.send(block)
            except TimeoutError:
                continue

    thread = threading.Thread(target=send)
    thread.start()
    receiver.settimeout(0.2)
    buffer, total = bytearray(1 << 16), 0
    while time.monotonic() < began + seconds:
        try:
            total += receiver.recv_into(buffer)
        except TimeoutError:
            continue
        series.append((time.monotonic() - began, total))
    thread.join()
    return series


def measure(mtu: int, congestion: str, rates_mbps: list[float], seconds: float) -> list[Result]:
    """All rates at once, each between a pair of hosts of its own."""
    results: list[Result | None] = [None] * len(rates_mbps)
    with bare_network(2 * len(rates_mbps), mtu, congestion) as (network, controller):

        def one(number: int) -> None:
            goodput_Bps = rates_mbps[number] * 1e6 / 8 * frame_share(mtu)
            meter = meter_for(goodput_Bps, mtu)
            source, target = network.hosts[number], network.hosts[number + len(rates_mbps)]
            sender, receiver, key = tcp_flow(source, target, PORT)
            with lock:
                controller.change({"s0": Change({number + 1: meter}, (), {key: number + 1})})
            with sender, receiver:
                series = transfer(sender, receiver, seconds)
                information = sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            (retransmits,) = struct.unpack_from("I", information, _TOTAL_RETRANSMITS)
            at_s, received = (np.array(column, dtype=np.float64) for column in zip(*series, strict=True))
            grid = np.arange(1.0, seconds - 0.999, 0.1)
            per_second = np.interp(grid + 1.0, at_s, received) - np.interp(grid, at_s, received)
            fair, burst = goodput_Bps * seconds, meter.burst_bytes * frame_share(mtu)
            results[number] = Result(
                rates_mbps[number], mtu, congestion, received[-1] / fair, (received[-1] - burst) / fair,
                float(per_second.max() / goodput_Bps - 1), retransmits,
            )  # fmt: skip

        lock = threading.Lock()
        threads = [threading.Thread(target=one, args=(number,)) for number in range(len(rates_mbps))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [result for result in results if result is not None]


@click.command()
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--mtu", "mtus", type=int, multiple=True, default=[9000, 1500], show_default=True)
@click.option("--congestion", "controls", multiple=True, default=["cubic"], show_default=True)
@click.option("--rate", "rates", type=float, multiple=True, default=[2, 5, 10, 20], show_default=True, help="Mbit/s.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def main(
    seconds: float, mtus: tuple[int, ...], controls: tuple[str, ...], rates: tuple[float, ...], as_json: bool
) -> None:
    """Run one TCP flow through each meter and print what it gets."""
    results = [result for mtu in mtus for control in controls for result in measure(mtu, control, list(rates), seconds)]
    if as_json:
        click.echo(orjson.dumps(results, option=orjson.OPT_INDENT_2))
        return
    click.echo(
        f"{'Mbit/s':>6} {'MTU':>5} {'TCP':>6} {'share':>7} {'after burst':>12} {'overshoot':>10} {'retransmits':>12}"
    )
    for each in results:
        click.echo(
            f"{each.rate_mbps:6g} {each.mtu:5d} {each.congestion:>6} {each.share:7.3f} {each.after_burst:12.3f} "
            f"{each.overshoot:10.3f} {each.retransmits:12d}"
        )


if __name__ == "__main__":
    main()
