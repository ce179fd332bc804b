"""A small real network for the controller's tests: private Open vSwitch, veth cables, one namespace per host.

Open vSwitch runs in a network namespace of its own: two userspace datapaths cannot share one (both want the interface
`ovs-netdev`), and all cables vanish with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from testbed.emulation.controller_process import ControllerProcess
from testbed.plan import Plan

T = TypeVar("T")
_SERIAL = itertools.count()
_CLONE_NEWNET = 0x40000000
_GATEWAY, _GATEWAY_MAC = "169.254.0.1", "02:ff:ff:ff:ff:ff"


def until(condition: Callable[[], T], what: str, deadline_s: float = 20.0) -> T:
    """The first true value of `condition`."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.02)
    return value


def run(*command: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def inside(namespace: str, function: Callable[[], T]) -> T:
    """Call a function in a thread that has moved into a network namespace; sockets and children it makes stay there."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with open(f"/run/netns/{namespace}") as file:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class PrivateNetwork:
    """The plan's fabric, with a controller process. Use `private_network`."""

    def __init__(self, plan: Plan, directory: Path, rules_of: Plan) -> None:
        self.plan = plan
        self.directory = directory
        self.token = f"ct{os.getpid()}n{next(_SERIAL)}"
        self.switch_namespace = f"{self.token}sw"
        self.log = directory / "controller.log"
        self.controller = ControllerProcess(rules_of, directory, self.log)
        self.daemons: dict[str, int] = {}
        self._env = {**os.environ, **{f"OVS_{name}DIR": str(directory) for name in ("RUN", "LOG", "DB", "SYSCONF")}}

    def host(self, number: int) -> str:
        """Name of a host's network namespace."""
        return f"{self.token}h{number}"

    def bridge(self, switch: str) -> str:
        """Name of a switch's bridge."""
        return f"br{[node.name for node in self.plan.fabric.switches].index(switch)}"

    def vsctl(self, *arguments: str) -> str:
        return run("ovs-vsctl", "--timeout=30", f"--db=unix:{self.directory}/db.sock", *arguments, env=self._env)

    def ofctl(self, command: str, switch: str, *arguments: str) -> str:
        socket = f"unix:{self.directory}/{self.bridge(switch)}.mgmt"
        return run("ovs-ofctl", "-O", "OpenFlow13", command, socket, *arguments, env=self._env)

    def crossed(self) -> dict[str, int]:
        """Link name -> packets that its source switch has sent (links from hosts are left out)."""
        ports = self.controller.ask("ports")
        return {
            link.name: ports[link.source][str(link.source_port)]["tx_packets"]
            for link in self.plan.fabric.links
            if link.source in ports
        }

    def settle(self) -> None:
        """Wait until the last packets on their way have arrived: until the counters stand still."""
        until(lambda: self.crossed() == self.crossed(), "an end of the traffic")

    def start(self) -> None:
        self._namespaces()
        inside(self.switch_namespace, self._daemons)
        inside(self.switch_namespace, self.controller.__enter__)
        self.connect_bridges()
        self.controller.wait_ready(30.0)

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.controller.__exit__(None, None, None)
        for pid in self.daemons.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        for name in run("ip", "netns", "list").split():
            if name.startswith(self.token):
                run("ip", "netns", "del", name)

    def _namespaces(self) -> None:
        names = [self.switch_namespace, *(self.host(node.index) for node in self.plan.fabric.hosts)]
        run("ip", "-batch", "-", stdin="".join(f"netns add {name}\n" for name in names))
        for name in names:
            quiet = "net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"
            run("ip", "netns", "exec", name, "sysctl", "-qw", *quiet.split())
        cables = []
        for link in self.plan.fabric.links:
            if link.source_port and (not link.target_port or link.source < link.target):
                far = f"{self._port(link.target, link.target_port)}"
                if not link.target_port:
                    far = f"eth0 netns {self.host(self._host_number(link.target))}"
                cables.append(f"link add {self._port(link.source, link.source_port)} type veth peer name {far}\n")
        run("ip", "-n", self.switch_namespace, "-batch", "-", stdin="".join(cables))
        ports = [self._port(link.source, link.source_port) for link in self.plan.fabric.links if link.source_port]
        up = "".join(f"link set {port} up\n" for port in ["lo", *ports])
        run("ip", "-n", self.switch_namespace, "-batch", "-", stdin=up)
        for address in self.plan.addresses:
            name = self.host(self._host_number(address.host))
            lines = [f"link set eth0 address {address.mac} up", "link set lo up"]
            lines += [f"addr add {each}/32 dev eth0" for each in (address.primary, *address.via)]
            lines += [f"neigh add {_GATEWAY} lladdr {_GATEWAY_MAC} dev eth0 nud permanent"]
            lines += [f"route add default via {_GATEWAY} dev eth0 onlink src {address.primary}"]
            run("ip", "-n", name, "-batch", "-", stdin="\n".join(lines) + "\n")
            run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off", "gro", "off")

    def _daemons(self) -> int:
        where = str(self.directory)
        run("ovsdb-tool", "create", f"{where}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        common = ["--detach", "--no-chdir", "-vconsole:off"]
        database = [f"{where}/conf.db", f"--remote=punix:{where}/db.sock", f"--pidfile={where}/db.pid"]
        run("ovsdb-server", *database, f"--log-file={where}/db.log", *common, env=self._env)
        self.daemons["ovsdb-server"] = int((self.directory / "db.pid").read_text())
        self.vsctl("--no-wait", "init")
        daemon = [f"unix:{where}/db.sock", f"--pidfile={where}/vs.pid", f"--log-file={where}/vs.log"]
        run("ovs-vswitchd", *daemon, *common, env=self._env)
        self.daemons["ovs-vswitchd"] = int((self.directory / "vs.pid").read_text())
        return len(self.daemons)

    def connect_bridges(self) -> None:
        """One transaction: every bridge with its ports and its controller."""
        words: list[str] = []
        for number, node in enumerate(self.plan.fabric.switches):
            bridge = self.bridge(node.name)
            words += ["--", "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev"]
            words += ["fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow15"]
            words += [f"other-config:datapath-id={number + 1:016x}"]
            words += ["other-config:disable-in-band=true"]
            for link in self.plan.fabric.links:
                if link.source == node.name:
                    port = self._port(node.name, link.source_port)
                    words += ["--", "add-port", bridge, port]
                    words += ["--", "set", "interface", port, f"ofport_request={link.source_port}"]
            words += ["--", "set-controller", bridge, self.controller_target]
        self.vsctl(*words[1:])

    @property
    def vswitchd_control(self) -> Path:
        """What ovs-appctl talks to."""
        return self.directory / f"ovs-vswitchd.{self.daemons['ovs-vswitchd']}.ctl"

    @property
    def controller_target(self) -> str:
        host, port = self.controller.address
        return f"tcp:{host}:{port}"

    def _port(self, switch: str, port: int) -> str:
        return f"{self.bridge(switch)}p{port}" if port else ""

    def _host_number(self, name: str) -> int:
        return next(node.index for node in self.plan.fabric.hosts if node.name == name)


@contextlib.contextmanager
def private_network(plan: Plan, rules_of: Plan | None = None) -> Iterator[PrivateNetwork]:
    """Bring the network up, wait until its rules (or another plan's) are in, take all of it down in the end."""
    directory = Path(tempfile.mkdtemp(prefix="ct-", dir="/tmp"))  # short: unix socket paths have 107 bytes
    network = PrivateNetwork(plan, directory, rules_of or plan)
    try:
        network.start()
        yield network
    finally:
        network.stop()
        shutil.rmtree(directory)
