"""How long a change at the edge takes: the batch, and until packets at the receiver show it.

A TCP flow crosses a switch as fast as its link lets it. In turn its mark is changed, and it is dropped and let go.
Stages: `batch` from sending the OpenFlow messages to the barrier reply, `command` the whole call (HTTP included),
`mark` from the call to the first packet at the receiver with the new DSCP, `meter` from the call to the last packet at
the receiver before the silence. What a scheduler takes to decide comes before, and is in the records of each run.

Run as root on a quiet machine: .venv/bin/python benchmarks/openflow_latency.py [--repeats 200] [--flows 50] [--json]
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import click
import numpy as np
import orjson
from bare_network import bare_network, tcp_flow

from testbed.emulation.containers import HostHandle
from testbed.emulation.netns import inside
from testbed.rules.edge import Change
from testbed.rules.meters import meter_for

PORT = 5000
MTU = 1500
PAUSE_S = 0.05
SILENCE_S = 0.03


class Watched:
    """A TCP flow that runs all the time, and its packets as they reach the receiver."""

    def __init__(self, source: HostHandle, target: HostHandle) -> None:
        self.sender, self.receiver, self.key = tcp_flow(source, target, PORT)
        self.sniffer = inside(
            target.pid, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        )
        self.packets: list[tuple[float, int]] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive, self._watch)]
        for thread in self._threads:
            thread.start()

    def wait(self, before: int) -> None:
        """Until another packet has come."""
        end = time.monotonic() + 10
        while len(self.packets) <= before:
            if time.monotonic() > end:
                raise SystemExit("no packet for 10 s")
            time.sleep(0.0005)

    def close(self) -> None:
        """End it."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        self.sender.settimeout(0.1)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                self.sender.send(bytes(1 << 14))

    def _receive(self) -> None:
        self.receiver.settimeout(0.1)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                self.receiver.recv(1 << 16)

    def _watch(self) -> None:
        self.sniffer.settimeout(0.1)
        ends = socket.inet_aton(self.key.source) + socket.inet_aton(self.key.destination)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                frame = self.sniffer.recv(64)
                if frame[26:34] == ends:
                    self.packets.append((time.monotonic(), frame[15] >> 2))


def measure(repeats: int, flows: int) -> dict[str, list[float]]:
    """Milliseconds per stage. Each batch also sets the meters of `flows` other flows."""
    took: dict[str, list[float]] = {"batch": [], "command": [], "mark": [], "meter": []}
    with bare_network(2, MTU, "cubic") as (network, controller):
        watched = Watched(*network.hosts)
        others = [watched.key._replace(source_port=1 + number) for number in range(flows)]
        for repeat in range(repeats):
            beside = {
                "set_meters": {1 + n: meter_for(1e5 + repeat * 1e3, MTU) for n in range(flows)},
                "set_metered": {other: 1 + n for n, other in enumerate(others)},
            }
            time.sleep(PAUSE_S)
            dscp, came = 1 + repeat % 60, len(watched.packets)
            began = time.monotonic()
            batch_s = controller.change({"s0": Change(**beside, set_marks={watched.key: dscp})})["s0"]
            took["command"].append((time.monotonic() - began) * 1e3)
            took["batch"].append(batch_s * 1e3)
            while not any(mark == dscp for _, mark in watched.packets[came:]):
                watched.wait(len(watched.packets))
            took["mark"].append((next(at for at, mark in watched.packets[came:] if mark == dscp) - began) * 1e3)

            time.sleep(PAUSE_S)
            began = time.monotonic()
            controller.change({"s0": Change(set_metered={watched.key: None})})
            while time.monotonic() - max(watched.packets[-1][0], began) < SILENCE_S:
                time.sleep(0.001)
            took["meter"].append((max(watched.packets[-1][0], began) - began) * 1e3)
            came = len(watched.packets)
            controller.change({"s0": Change(remove_metered=(watched.key,))})
            watched.wait(came)
        watched.close()
    return took


@click.command()
@click.option("--repeats", default=200, show_default=True)
@click.option("--flows", default=50, show_default=True, help="Other flows whose meters each batch sets.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def main(repeats: int, flows: int, as_json: bool) -> None:
    """Change marks and meters under a running flow, and print how long each stage takes, in milliseconds."""
    took = measure(repeats, flows)
    shares = {"median": 50, "p90": 90, "p99": 99, "max": 100}
    table = {
        stage: {name: float(np.percentile(ms, share)) for name, share in shares.items()} for stage, ms in took.items()
    }
    if as_json:
        click.echo(orjson.dumps(table, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"{'ms':>8} " + " ".join(f"{name:>8}" for name in shares))
    for stage, row in table.items():
        click.echo(f"{stage:>8} " + " ".join(f"{value:8.2f}" for value in row.values()))


if __name__ == "__main__":
    main()
