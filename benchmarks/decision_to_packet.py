"""From a decision to the first packet at the receiver that shows it: stage by stage, on the emulated network.

As root: `.venv/bin/python benchmarks/decision_to_packet.py [--changes 60] [--k 4] [--share 0.5] [--json]`. One flow
crosses the network at a share of the link's rate. Again and again an allocation is handed to the real enforcer, whose
commands go to the real actor over its control socket:

    pacing   the flow, stopped for a while, is given its rate again: the packet that shows it is the first one after
    queue    the flow changes its class: the packet that shows it is the first one with the new mark

Stages: decision (the allocation is there) -> command sent (written to the actor's socket) -> first such packet leaves
the sender's interface -> it arrives at the receiver's. Packets are stamped by the kernel in both hosts' network
namespaces.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bare_network import network_of

from testbed.actor.endpoint import connect
from testbed.emulation.affinity import kept_apart
from testbed.emulation.netns import inside
from testbed.emulation.network import EmulatedNetwork
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.replay.crew import Crew
from testbed.replay.enforcement.base import Reach
from testbed.replay.enforcement.registry import make_enforcers
from testbed.replay.flow_control import FlowControl
from testbed.replay.setup import DATA_PORT, Connections
from testbed.scheduling.base import Allocation
from testbed.scheduling.registry import make
from testbed.scheduling.view import ViewBuilder
from testbed.spec.reader import load_experiment

EXPERIMENT = """
topology: {{kind: fat-tree, k: {k}, link: {{rate: 20 Mbit/s}}}}
workload: {{kind: explicit, coflows: [{{id: 0, arrival: 0 s, flows: [{{from: 0, to: {to}, size: 1 GB}}]}}]}}
schedulers: [{{name: dclas, sharing: weighted}}]
enforcement: {enforcement}
"""
WEIGHT = np.arange(10.0, 0.0, -1.0)
QUIET_S, RUN_S = 0.08, 0.08
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("@qq")


@dataclass(frozen=True)
class Seen:
    """A data packet of the flow."""

    at_ns: int
    """Of CLOCK_MONOTONIC."""
    dscp: int


class Ear:
    """Hears the flow's data packets on a host's interface, from inside its network namespace."""

    def __init__(self, pid: int, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self.packets: list[Seen] = []
        self._wire = inside(pid, _listening_socket)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> list[Seen]:
        """Stop; all that was heard, in order."""
        self._stop.set()
        self._thread.join()
        return self.packets

    def _listen(self) -> None:
        with self._wire as wire:
            while not self._stop.is_set():
                select.select([wire], [], [], 0.05)
                offset_ns = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()
                with suppress(BlockingIOError):
                    while True:
                        self._take(*wire.recvmsg(64, 64)[:2], offset_ns)

    def _take(self, packet: bytes, told: list[Any], offset_ns: int) -> None:
        length, source = struct.unpack_from("!H", packet, 2)[0], struct.unpack_from("!H", packet, 20)[0]
        if packet[9] == socket.IPPROTO_TCP and source == self._port and length > 20 + 4 * (packet[32] >> 4):
            seconds, ns = _STAMP.unpack(told[0][2])
            self.packets.append(Seen(seconds * 10**9 + ns - offset_ns, packet[1] >> 2))


def _listening_socket() -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    wire.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    wire.bind(("eth0", 0x0003))
    wire.setblocking(False)
    return wire


@contextmanager
def shared_out(plan: Plan) -> Iterator[EmulatedNetwork]:
    """The plan's network with its rules installed, and processors shared out as in a run."""
    with network_of(plan, f"bench-{os.getpid()}") as (network, controller):
        forwarding = network.forwarding_thread()
        others = [pid for pid in (controller.pid, *network.pids()) if pid != forwarding]
        with kept_apart(forwarding, others):
            yield network


class Stage:
    """One flow between two actors, and an enforcer that acts on it."""

    def __init__(self, plan: Plan, network: EmulatedNetwork) -> None:
        sockets = [str(host.control_dir / "actor.sock") for host in network.hosts]
        self._crew = Crew([host.name for host in network.hosts], sockets, self._hear, connect)
        self._control = FlowControl(self._crew.links, plan.flows.src)
        self._connections = Connections(plan, self._crew, DATA_PORT, "")
        self._crew.gather()
        self._connections.listen()
        self._connections.open()
        reach = Reach(plan, self._control)
        (self._enforcer,) = make_enforcers(reach)
        scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
        begun = np.ones(len(plan.flows), dtype=np.bool_)
        zero = np.zeros(len(plan.flows))
        self._view = ViewBuilder(plan, scheduler).build(0.0, np.array([0]), zero, begun, plan.coflows.arrival_s)
        self.port = int(self._connections.own_port[0])

    def _hear(self, link: Any, said: dict[str, Any]) -> None:
        handlers: dict[str, Callable[..., None]] = {
            "listening": self._connections.on_listening,
            "opened": self._connections.on_opened,
            "accepted": self._connections.on_accepted,
        }
        for kind, events in said.items():
            if kind in handlers:
                handlers[kind](link, events)

    def start(self, cap_Bps: float) -> None:
        """Let the flow go, with room on the link whatever is enforced."""
        self._control.cap(np.array([0]), np.array([cap_Bps]))
        self.change(cap_Bps, 0)
        self._control.start([0], [time.monotonic_ns()])
        self._control.flush()
        self.wait(RUN_S)

    def change(self, cap_Bps: float, queue: int) -> tuple[int, int]:
        """Hand an allocation to the enforcer: when it was there, and when all commands had been sent."""
        decided = time.monotonic_ns()
        view, enforcer = self._view, self._enforcer
        enforcer.enforce(view, Allocation(np.array([cap_Bps]), np.array([queue]), np.array([0]), WEIGHT))
        self._control.flush()
        return decided, time.monotonic_ns()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic_ns() + int(seconds * 1e9)
        self._crew.loop.call_at(end, lambda: None)
        self._crew.until(lambda: time.monotonic_ns() >= end, seconds + 5, lambda: "the clock stands still")

    def close(self) -> None:
        """Leave the actors."""
        self._crew.close()


def measure(enforcement: str, k: int, changes: int, share: float) -> dict[str, Any]:
    """Milliseconds from the decision on, per stage: median and 99th percentile over the changes."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "decision.yml"
        spec.write_text(EXPERIMENT.format(k=k, to=k**3 // 4 - 1, enforcement=enforcement))
        plan = next(make_plans(load_experiment(spec, [])))
    rate_Bps = share * float(plan.fabric.capacity_Bps[0])
    with shared_out(plan) as network:
        stage = Stage(plan, network)
        ears = [Ear(network.hosts[int(end[0])].pid, stage.port) for end in (plan.flows.src, plan.flows.dst)]
        told = []
        try:
            stage.start(rate_Bps)
            for number in range(changes):
                if enforcement == "pacing":
                    stage.change(0.0, 0)
                    stage.wait(QUIET_S)
                    told.append((*stage.change(rate_Bps, 0), None))
                else:
                    mark = 1 + number % 7
                    told.append((*stage.change(rate_Bps, mark), mark))
                stage.wait(RUN_S)
        finally:
            stage.close()
            heard = [ear.close() for ear in ears]
    rows = [
        (sent, *(first_after(packets, decided, mark) for packets in heard), decided) for decided, sent, mark in told
    ]
    table = np.array(rows, dtype=np.float64)
    after_ms = (table[:, :3] - table[:, 3:]) / 1e6
    names = ("command sent", "leaves the sender", "at the receiver")
    figures = {
        name: [round(float(np.percentile(after_ms[:, column], q)), 2) for q in (50, 99)]
        for column, name in enumerate(names)
    }
    return {"enforcement": enforcement, "k": k, "changes": changes, "median, p99 in ms": figures}


def first_after(packets: list[Seen], instant_ns: int, mark: int | None) -> int:
    """When the first packet came after an instant, with a mark where one is wanted."""
    return next(packet.at_ns for packet in packets if packet.at_ns > instant_ns and mark in (None, packet.dscp))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--enforcement", nargs="+", default=["pacing", "queue"], choices=["pacing", "queue"])
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.5, help="of the link's rate that the flow has")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for enforcement in options.enforcement:
        found = measure(enforcement, options.k, options.changes, options.share)
        if options.json:
            json.dump(found, sys.stdout)
            print(flush=True)
            continue
        print(f"{enforcement}, k={options.k}, {options.changes} changes; ms after the decision: median, p99")
        for name, (median, p99) in found["median, p99 in ms"].items():
            print(f"{name:>20} {median:8.2f} {p99:8.2f}", flush=True)


if __name__ == "__main__":
    main()
