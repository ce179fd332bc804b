"""The emulated network of a plan: brought up when its block is entered, taken away when it is left, however."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.coflow import Ints
from testbed.emulation import capabilities, cleanup
from testbed.emulation.bridges import Bridge, Bridges
from testbed.emulation.command import batch
from testbed.emulation.containers import (
    ACTOR_COMMAND,
    HostHandle,
    describe_end,
    remove_containers,
    start_containers,
)
from testbed.emulation.counters import PortCounters
from testbed.emulation.docker_service import (
    connect,
    daemon_pid,
    docker_daemon,
    docker_errors,
    own_socket,
    revive_own_daemon,
)
from testbed.emulation.host_network import core_prefixes, host_commands, require_congestion_control
from testbed.emulation.image import ensure_image
from testbed.emulation.names import make_names
from testbed.emulation.open_vswitch import OpenVSwitch
from testbed.emulation.owner import start_time
from testbed.emulation.parallel import in_parallel
from testbed.emulation.port_queues import PortQueues
from testbed.emulation.port_trees import PortTree, port_tree
from testbed.emulation.router_edges import RouterEdges
from testbed.emulation.routers import Routers
from testbed.emulation.shaping import shape
from testbed.emulation.state import RunState, create_state
from testbed.emulation.switches import Switches
from testbed.emulation.wiring import Cable, End, make_cables
from testbed.errors import EmulationError
from testbed.fabric import Link
from testbed.faults import Condition
from testbed.interrupts import held_back
from testbed.plan import Plan
from testbed.rules.flow_queues import queues_by_link
from testbed.scheduling.sharing import sharing_of
from testbed.segments import segment_words

if TYPE_CHECKING:
    from testbed.emulation.mininet_net import CoflowMininet

_LOGGER = logging.getLogger(__name__)

WAIT_S = 240.0
"""For another run on this machine to let go of the userspace datapath."""


class EmulatedNetwork:
    """Context manager. Inside it all hosts run and every port is shaped; traffic flows as far as rules say.

    Where the switches speak OpenFlow, `controller` is called with the run's directory and returns where they shall
    connect, (address, port); with None they drop everything until rules come by hand. Routers have the plan's rules as
    soon as they are up. `command` is what runs as the first process of every container.
    """

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        log: Callable[[str], None] = _LOGGER.info,
        controller: Callable[[Path], tuple[str, int]] | None = None,
        command: Sequence[str] = ACTOR_COMMAND,
        wait_s: float = WAIT_S,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.controller = controller
        self.hosts: list[HostHandle] = []
        self.phases: dict[str, float] = {}
        """Seconds per phase of the bring-up, and of the tear-down (these begin with 'down: ')."""
        self.datapath = ""
        self._log = log
        self._command = command
        self._wait_s = wait_s
        self._services = contextlib.ExitStack()
        self._client: Any = None
        self._docker_pid: int | None = None
        self._ended: set[str] = set()  # hosts that were killed on purpose

    def __enter__(self) -> EmulatedNetwork:
        try:
            try:
                self._bring_up()
            except EmulationError:
                self._check_hosts()  # a host that has died explains whatever failed after it
                raise
        except BaseException:
            self._tear_down(failed=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._tear_down(failed=kind is not None)

    @property
    def mininet(self) -> CoflowMininet:
        """The network as a Mininet object, for its API and its command line (`mininet.cli.CLI(network.mininet)`)."""
        return self._mininet

    @property
    def has_openflow(self) -> bool:
        """Whether its switches speak OpenFlow; those that do not have their rules when the network is up."""
        return self.datapath != "router"

    @property
    def open_vswitch(self) -> OpenVSwitch:
        """The Open vSwitch that holds the bridges; EmulationError where switches are routers."""
        return self._bridges().open_vswitch

    def bridges(self) -> dict[str, Bridge]:
        """The bridge of each switch, by the switch's name in the plan; EmulationError where switches are routers."""
        return self._bridges().by_switch()

    def _bridges(self) -> Bridges:
        if not isinstance(self._switches, Bridges):
            raise EmulationError("datapath router: there is no Open vSwitch; a switch is a network namespace here")
        return self._switches

    def router_edges(self) -> RouterEdges:
        """What changes meters and marks at the edge while traffic flows; EmulationError where no switch is a router."""
        if not isinstance(self._switches, Routers):
            raise EmulationError(f"datapath {self.datapath}: no switch is a router; the OpenFlow app changes its edge")
        return self._switches.edges()

    @property
    def cables(self) -> tuple[Cable, ...]:
        """All cables, with the interfaces at their ends."""
        return self._cables

    def namespace(self, end: End) -> Path | None:
        """The network namespace of an end at a switch, None for the root one."""
        assert end.switch is not None
        return self._switches.namespace(end.switch)

    def set_ports(self, down: Sequence[End], up: Sequence[End]) -> None:
        """Set ports of switches down, and others up again."""
        self._switches.set_ports(down, up)

    def set_routes(self, condition: Condition) -> None:
        """Have routers take the ways that a condition of the network leaves; switches are told by their controller."""
        self._switches.set_routes(condition)

    def expect_end(self, host: HostHandle) -> None:
        """This host is about to be killed on purpose; what its interface counted stays readable."""
        self._counters.hold(host.pid)
        self._ended.add(host.name)

    def forwarding_thread(self) -> int | None:
        """The thread that forwards by polling; None where the kernel forwards."""
        return self._switches.forwarding_thread()

    def facts(self) -> dict[str, Any]:
        """What the records shall say of this network."""
        return {
            "run_id": self.run_id,
            "datapath": self.datapath,
            "network_phases_s": dict(self.phases),
            **(self._switches.facts() if hasattr(self, "_switches") else {}),
        }

    def port_counters(self) -> tuple[Ints, Ints]:
        """Per link, bytes (whole frames) sent at its source's end and received at its target's end, since bring-up."""
        return self._counters.read()

    @property
    def queues(self) -> PortQueues:
        """The queues of all ports, for one thread at a time."""
        return self._queues

    def pids(self) -> list[int]:
        """The first process of each host, and the switch daemons that were started for this run."""
        return [*(host.pid for host in self.hosts), *self._switches.pids()]

    def check_alive(self) -> None:
        """EmulationError if a container, a switch daemon or the Docker daemon that we started has died. Cheap."""
        self._check_hosts()
        self._switches.check_alive()
        if self._docker_pid is not None and start_time(self._docker_pid) is None:
            raise EmulationError("docker: our own daemon died while the network was up; its containers go with the run")

    def _check_hosts(self) -> None:
        for host in self.hosts:
            if start_time(host.pid) != host.start and host.name not in self._ended:
                raise EmulationError(f"host {host.name}: {describe_end(self._client, host.container_id)}") from None

    def _bring_up(self) -> None:
        began = time.monotonic()
        with self._phase("checks"):
            capabilities.require(self.plan)
            self.datapath = capabilities.choose_datapath(self.plan.datapath)
            require_congestion_control(self.plan.tcp.congestion)
            prefixes = core_prefixes(self.plan.addresses)
            with held_back():
                self._state = create_state(make_names(self.run_id))
            self._sharing = sharing_of(self.plan)
            self._flow_queues = queues_by_link(self.plan)
            self._cables = make_cables(self.plan.fabric, self._state.names)
            self._switches = self._make_switches()
        controller = None
        if self.controller is not None and self.has_openflow:
            with self._phase("controller"):
                controller = self.controller(self._state.directory)
        with self._phase("docker"):
            self._start_docker()
        before_cables, after_cables = self._switches.phases
        with self._phase(before_cables):
            self._switches.prepare()
        with self._phase("image"), docker_errors():
            image = ensure_image(self._client, self.plan.host.image, self._log)
        with self._phase("containers"):
            self.hosts = start_containers(self._client, self.plan, self._state, image, self._command)
        with self._phase("links"):
            self._switches.connect(self.hosts)
        with self._phase("hosts"):
            in_parallel(lambda number: self._configure_host(number, prefixes), range(len(self.hosts)))
        with self._phase(after_cables):
            self._switches.install(controller)
        with self._phase("shaping"):
            self._switches.shape(self.tree)
        with self._phase("mininet"):
            self._mininet = self._make_mininet()
        pids = [host.pid for host in self.hosts]
        ports = self._cables, len(self.plan.fabric.links), pids, self._switches.namespace
        self._counters = PortCounters(*ports)
        self._services.callback(self._counters.close)
        self._queues = PortQueues(*ports)
        self._services.callback(self._queues.close)
        self.check_alive()
        self._log(f"network up in {time.monotonic() - began:.2f} s: {self.datapath}, {self._phase_words('')}")

    def _start_docker(self) -> None:
        socket = self._services.enter_context(docker_daemon(self.run_id, self._log))
        for removal in cleanup.clean(log=self._log):
            self._log(f"removed what dead run {removal.run} left: {removal.kind} {removal.name}")
        self._state.docker_socket = socket
        self._state.save()
        self._client = self._services.enter_context(connect(socket))
        self._docker_pid = daemon_pid() if socket == own_socket() else None

    def _make_switches(self) -> Switches:
        if self.datapath == "router":
            return Routers(self.plan, self._state, self._cables, self._services, self._log)
        return Bridges(self.plan, self._state, self._cables, self._services, self._log, self.datapath, self._wait_s)

    def _configure_host(self, number: int, prefixes: list[str]) -> None:
        host = self.hosts[number]
        end = self._host_end(number)
        self._switches.prepare_host(end.interface, host.pid)
        segments = segment_words(self._switches.frames_per_segment, self.plan.fabric.mtu)
        lines = [f"link set dev {end.interface} {segments}", *host_commands(host.address, self.plan.tcp, prefixes)]
        batch("ip", lines, netns_of=host.pid)
        shape([self.tree(end)], host.pid)

    def _make_mininet(self) -> CoflowMininet:
        from testbed.emulation.mininet_net import CoflowMininet

        handles = {host.name: host for host in self.hosts}
        return CoflowMininet(self.plan, self._switches, handles)

    def tree(self, end: End, link: Link | None = None) -> PortTree:
        """The queueing of the interface at an end: of its own link, or of that link at another rate."""
        fabric, queues = self.plan.fabric, self._flow_queues[end.link]
        return port_tree(end.interface, link or fabric.links[end.link], fabric.mtu, self._sharing, queues)

    def _host_end(self, number: int) -> End:
        return next(cable.second for cable in self._cables if cable.second.host == number)

    def _tear_down(self, failed: bool) -> None:
        """Take everything away, step by step, each one whatever became of those before."""
        errors: list[str] = []
        began = time.monotonic()
        state: RunState | None = getattr(self, "_state", None)
        with held_back(self._log):
            if hasattr(self, "_mininet"):
                self._step("shells", errors, self._mininet.close)
            if state is not None:
                self._log("network: taking it down")
                # The kernel takes a second to close the switch's sockets; the containers go meanwhile.
                with ThreadPoolExecutor(1) as aside:
                    stopping = aside.submit(self._step, "switch daemon", errors, self._stop_switches)
                    self._step("containers", errors, self._remove_containers)
                    stopping.result()
                self._step("interfaces", errors, self._remove_switches)
            self._step("services", errors, self._services.close)
            if state is not None and not errors:
                cleanup.remove_directory(state.directory)
        if state is not None:
            self._log(f"network down in {time.monotonic() - began:.2f} s: {self._phase_words('down: ')}")
        if errors:
            message = "; ".join(errors) + "; what is left: `testbed clean --dry-run`"
            self._log(f"tear-down: {message}")
            if not failed:
                raise EmulationError(f"tear-down: {message}")

    def _stop_switches(self) -> None:
        if hasattr(self, "_switches"):
            self._switches.stop()

    def _remove_switches(self) -> None:
        if hasattr(self, "_switches"):
            self._switches.remove()

    def _remove_containers(self) -> None:
        if self._client is None:
            return
        try:
            remove_containers(self._client, self.run_id)
        except EmulationError:
            if self._docker_pid is None:
                raise
            revive_own_daemon(self._log)  # only a daemon can forget containers
            remove_containers(self._client, self.run_id)

    def _step(self, name: str, errors: list[str], action: Callable[[], object]) -> None:
        with self._phase(f"down: {name}"):
            try:
                action()
            except Exception as error:  # the next steps must be tried as well
                errors.append(f"{name}: {error}")

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = time.monotonic() - began

    def _phase_words(self, prefix: str) -> str:
        chosen = {name: took for name, took in self.phases.items() if name.startswith("down: ") == bool(prefix)}
        return ", ".join(f"{name.removeprefix(prefix)} {took:.2f}" for name, took in chosen.items())
