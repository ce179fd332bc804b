"""Open vSwitch as the testbed talks to it: one database transaction, OpenFlow by hand, signs of life."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.emulation.command import missing_program, run
from testbed.emulation.names import BRIDGE_KEY
from testbed.emulation.owner import start_time
from testbed.errors import EmulationError

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
SYSTEM_RUNDIR = Path("/var/run/openvswitch")
READY_DEADLINE_S = 20.0
TRANSACTION_TIMEOUT_S = 60


class OpenVSwitch(ABC):
    """A running Open vSwitch that bridges can be made in."""

    datapath_type: str
    """'netdev' (userspace) or 'system' (kernel): a bridge's datapath_type."""
    run_dir: Path
    """Where the bridges' management sockets are."""

    def vsctl(self, *arguments: str) -> str:
        """Output of one ovs-vsctl transaction, waited for until the switch daemon has carried it out."""
        database = f"--db=unix:{self.run_dir}/db.sock"
        return run(["ovs-vsctl", database, f"--timeout={TRANSACTION_TIMEOUT_S}", *arguments], timeout_s=90)

    def table(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """Rows of a database table."""
        document = json.loads(self.vsctl("--format=json", f"--columns={','.join(columns)}", "list", name))
        return [dict(zip(document["headings"], row, strict=True)) for row in document["data"]]

    def management(self, bridge: str) -> str:
        """What ovs-ofctl calls a bridge: its management socket."""
        return f"unix:{self.run_dir}/{bridge}.mgmt"

    def ofctl(self, command: str, bridge: str, *arguments: str, stdin: str = "") -> str:
        """Output of ovs-ofctl (OpenFlow 1.3) on a bridge."""
        return run(["ovs-ofctl", "-O", "OpenFlow13", command, self.management(bridge), *arguments], stdin=stdin)

    def pids(self) -> list[int]:
        """The daemons that were started for this run alone."""
        return []

    def forwarding_thread(self) -> int | None:
        """The thread that forwards by polling; None where the kernel forwards."""
        return None

    @abstractmethod
    def check_alive(self) -> None:
        """EmulationError if a daemon has died."""

    @abstractmethod
    def log_tail(self) -> str:
        """The end of the switch daemon's log, for error messages."""


KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(256 << 20), "MALLOC_TOP_PAD_": str(16 << 20)}
"""For the C library: memory that ovs-vswitchd frees stays its own. At every turn it takes room for 32 frames for each
port in turn and frees it; given back to the kernel each time, and zeroed again by it, that was most of its work at MTU
9000."""


class PrivateOpenVSwitch(OpenVSwitch):
    """ovsdb-server and ovs-vswitchd of one run, with all their files in the run's directory."""

    datapath_type = "netdev"

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start both daemons and wait until they answer."""
        self.run_dir.mkdir(mode=0o755)
        run(["ovsdb-tool", "create", f"{self.run_dir}/conf.db", str(SCHEMA)])
        self._spawn("ovsdb-server", f"{self.run_dir}/conf.db", f"--remote=punix:{self.run_dir}/db.sock")
        self._wait_for("db.sock", "ovsdb-server")
        self.vsctl("--no-wait", "init")
        self._spawn("ovs-vswitchd", f"unix:{self.run_dir}/db.sock")
        self._wait_for("ovs-vswitchd.ctl", "ovs-vswitchd")

    def stop(self) -> None:
        """Kill both daemons; nothing of them is worth an orderly end, and the kernel takes a second for either way."""
        for daemon in self._daemons.values():
            daemon.kill()
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()

    def pids(self) -> list[int]:
        """ovsdb-server and ovs-vswitchd."""
        return [daemon.pid for daemon in self._daemons.values()]

    def forwarding_thread(self) -> int | None:
        """The main thread of ovs-vswitchd."""
        return self._daemons["ovs-vswitchd"].pid

    def check_alive(self) -> None:
        """EmulationError if one of the two daemons has ended."""
        for program, daemon in self._daemons.items():
            if daemon.poll() is not None:
                raise EmulationError(f"{program} ({_how(daemon)}) while the network was up{self.log_tail(program)}")

    def log_tail(self, program: str = "ovs-vswitchd") -> str:
        """The last warnings and errors of a daemon's log, or its last lines where it has none."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.run_dir / f"{program}.log").read_text(errors="replace").splitlines()
            serious = [line for line in lines if "|ERR|" in line or "|WARN|" in line or "|EMER|" in line] or lines
            return f"; the end of its log:\n  {chr(10).join(serious[-6:])}"
        return ""

    def _spawn(self, program: str, *arguments: str) -> None:
        directory = str(self.run_dir)
        command = [
            program, *arguments, f"--pidfile={directory}/{program}.pid", f"--unixctl={directory}/{program}.ctl",
            f"--log-file={directory}/{program}.log", "--no-chdir", "-vconsole:off", "-vsyslog:off",
        ]  # fmt: skip
        environment = {
            **os.environ,
            **KEPT_MEMORY,
            "OVS_RUNDIR": directory,
            "OVS_LOGDIR": directory,
            "OVS_DBDIR": directory,
        }
        try:
            self._daemons[program] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        except FileNotFoundError:
            raise missing_program(program) from None

    def _wait_for(self, file: str, program: str) -> None:
        end = time.monotonic() + READY_DEADLINE_S
        while not _listens(self.run_dir / file):
            daemon = self._daemons[program]
            if daemon.poll() is not None or time.monotonic() > end:
                what = _how(daemon) if daemon.poll() is not None else f"not ready within {READY_DEADLINE_S:g} s"
                raise EmulationError(f"{program}: {what}{self.log_tail(program)}")
            time.sleep(0.002)


def _listens(path: Path) -> bool:
    """Whether somebody accepts connections on a unix socket; its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


class SystemOpenVSwitch(OpenVSwitch):
    """The machine's own Open vSwitch; its bridges and settings other than ours stay as they are."""

    datapath_type = "system"
    run_dir = SYSTEM_RUNDIR

    def check_alive(self) -> None:
        """EmulationError if one of the two daemons no longer runs."""
        for program in ("ovsdb-server", "ovs-vswitchd"):
            if not system_runs(program):
                raise EmulationError(f"the machine's own {program} died while the network was up{self.log_tail()}")

    def log_tail(self) -> str:
        """Where the log is."""
        return "; see /var/log/openvswitch/ovs-vswitchd.log"


def bridge_commands(
    switch: OpenVSwitch, bridges: Sequence[tuple[str, int, dict[int, str]]], controller: str | None, run_id: str
) -> list[str]:
    """Arguments of the one ovs-vsctl transaction that makes all bridges.

    Each bridge is (name, datapath id, port number -> interface). A QoS row of type linux-noop on every port keeps
    Open vSwitch's hands off the queueing disciplines, which are ours.
    """
    commands = ["--id=@noop", "create", "QoS", "type=linux-noop", f"external_ids:{BRIDGE_KEY}={run_id}"]
    for bridge, dpid, ports in bridges:
        commands += ["--", "add-br", bridge, "--", "set", "Bridge", bridge]
        commands += [
            f"datapath_type={switch.datapath_type}", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13,OpenFlow15",
            f"other-config:datapath-id={dpid:016x}", "other-config:disable-in-band=true",
            f"external_ids:{BRIDGE_KEY}={run_id}",
        ]  # fmt: skip
        for number, interface in sorted(ports.items()):
            commands += ["--", "add-port", bridge, interface, "--", "set", "Port", interface, "qos=@noop"]
            commands += ["--", "set", "Interface", interface, f"ofport_request={number}"]
        if controller is not None:
            commands += ["--", "set-controller", bridge, controller]
            commands += ["--", "set", "Controller", bridge, "connection-mode=out-of-band", "max_backoff=1000"]
    return commands


def system_runs(program: str) -> bool:
    """Whether the machine's own daemon of that name runs, by its pid file."""
    try:
        pid = int((SYSTEM_RUNDIR / f"{program}.pid").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return start_time(pid) is not None


def _how(daemon: subprocess.Popen[bytes]) -> str:
    status = daemon.poll()
    return f"killed by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
