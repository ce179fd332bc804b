"""What benchmarks of the emulated network share: one that is up with its controller, and a flow across it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from testbed.coflow import CoflowTable, FlowTable
from testbed.emulation.containers import HostHandle
from testbed.emulation.controller_process import ControllerProcess
from testbed.emulation.netns import inside
from testbed.emulation.network import EmulatedNetwork
from testbed.plan import Plan, SchedulerSetting, TcpSetting
from testbed.rules.flow_key import FlowKey
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.shape import LinkSetting

LINK_BPS = 40e6


def bare_network(
    hosts: int, mtu: int, congestion: str
) -> contextlib.AbstractContextManager[tuple[EmulatedNetwork, ControllerProcess]]:
    """A big switch that is up with nothing to send, and its controller."""
    return network_of(flowless_plan(hosts, mtu, congestion), "bare-network")


@contextlib.contextmanager
def network_of(plan: Plan, run_id: str) -> Iterator[tuple[EmulatedNetwork, ControllerProcess]]:
    """A plan's network that is up with its rules, and its controller."""
    with tempfile.TemporaryDirectory() as logs, contextlib.ExitStack() as stack:
        controllers: list[ControllerProcess] = []

        def start(directory: Path) -> tuple[str, int]:
            controllers.append(stack.enter_context(ControllerProcess(plan, directory, Path(logs) / "controller.log")))
            return controllers[0].address

        with EmulatedNetwork(plan, run_id, controller=start) as network:
            controllers[0].wait_ready()
            yield network, controllers[0]


def flowless_plan(hosts: int, mtu: int, congestion: str) -> Plan:
    """A big switch with nothing to send."""
    link = LinkSetting(LINK_BPS, 0.98 * LINK_BPS / 8, 512_000)
    fabric = BigSwitch(hosts).build(link, link, mtu=mtu)
    none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Plan(
        experiment="benchmark", topology="big switch", workload="none", scheduler=SchedulerSetting("fair"),
        seed=1, repeat=0, fabric=fabric, addresses=addresses(fabric), tcp=TcpSetting(congestion=congestion),
        coflows=CoflowTable(none, nothing, nothing, nothing),
        flows=FlowTable(none, none, none, none, none, nothing, none, np.zeros(1, dtype=np.int64), none),
    )  # fmt: skip


def tcp_flow(source: HostHandle, target: HostHandle, port: int) -> tuple[socket.socket, socket.socket, FlowKey]:
    """A connection between two hosts' primary addresses: its sender, its receiver, and what tells its packets."""
    peer = (target.address.primary, port)
    with inside(target.pid, lambda: socket.create_server(peer)) as listener:
        sender = inside(source.pid, lambda: socket.create_connection(peer, 10, (source.address.primary, 0)))
        receiver, _ = listener.accept()
    return sender, receiver, FlowKey(*sender.getsockname(), *peer)
