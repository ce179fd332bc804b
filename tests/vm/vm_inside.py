"""What runs inside the virtual machine, as its only program: runs, a look at a lossy network, and the clean-up.

usage: vm_inside.py RESULTS. Leaves run directories in RESULTS/runs, and what was seen in RESULTS/seen.json.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "emulation"))

from emulated_plans import install_routes  # noqa: E402
from rich.console import Console  # noqa: E402
from vm_runs import plans  # noqa: E402

from testbed.display import Display  # noqa: E402
from testbed.emulation.capabilities import examine  # noqa: E402
from testbed.emulation.command import run  # noqa: E402
from testbed.emulation.containers import HostHandle  # noqa: E402
from testbed.emulation.docker_service import connect, docker_daemon  # noqa: E402
from testbed.emulation.names import RUN_LABEL, RUNS  # noqa: E402
from testbed.emulation.netns import inside  # noqa: E402
from testbed.emulation.network import EmulatedNetwork  # noqa: E402
from testbed.emulation.open_vswitch import SystemOpenVSwitch  # noqa: E402
from testbed.emulation.ovs_service import OVS_CTL  # noqa: E402
from testbed.emulation.owner import processes_with_argument  # noqa: E402
from testbed.plan import Plan  # noqa: E402
from testbed.runner import run_emulated  # noqa: E402

LOSS, DELAY_S, PINGS = 0.01, 0.002, 200
CONNECTIONS = 8
_REPLY = re.compile(r"time=([\d.]+) ms")
_CGROUP_LIMITS = ("memory.max", "cpu.max", "pids.max")


def main(results: Path) -> int:
    """All of it; 1 where a part raised, and then seen.json says what."""
    seen: dict[str, Any] = {"examined": [finding.document() for finding in examine()]}
    failed: dict[str, str] = {}
    display = Display(Console(stderr=True, highlight=False, force_terminal=False, width=200))
    planned = plans()
    with docker_daemon("vm", display.detail) as docker:
        seen["before"] = look(docker)
        for name, plan in planned.items():
            try:
                run_emulated(plan, results / "runs", display, name=name)
            except Exception:
                failed[name] = traceback.format_exc()
                display.say(failed[name])
        try:
            with somebody_elses_bridge(docker, seen):
                seen["network"] = look_at_network(planned["dctcp"], display)
        except Exception:
            failed["network"] = traceback.format_exc()
            display.say(failed["network"])
        seen["after"] = look(docker)
        seen["killed"] = kill_in_mid_run(planned["fair"], docker)
    seen["failed"] = failed
    (results / "seen.json").write_text(json.dumps(seen, indent=2))
    return 1 if failed else 0


def look(docker: str) -> dict[str, Any]:
    """What of the machine a run could have changed."""
    with connect(docker) as client:
        containers = client.containers(all=True, filters={"label": RUN_LABEL})
    return {
        "interfaces": sorted(entry.name for entry in Path("/sys/class/net").iterdir()),
        "queues": run(["tc", "qdisc", "show"]),
        "containers": sorted(container["Id"] for container in containers),
        "namespaces": run(["ip", "netns", "list"]),
        "runs": sorted(str(path) for path in RUNS.glob("*")),
        "processes of runs": processes_with_argument(str(RUNS)),
        "switch daemons": sorted(processes_named("ovs-vswitchd") + processes_named("ovsdb-server")),
        "datapaths": datapaths(),
        "wmem_default": Path("/proc/sys/net/core/wmem_default").read_text().strip(),
    }


def datapaths() -> list[str]:
    """Datapaths in the kernel; none before its module is loaded."""
    shown = subprocess.run(["ovs-dpctl", "dump-dps"], capture_output=True, text=True, check=False)
    return shown.stdout.split()


def processes_named(name: str) -> list[int]:
    """Processes by the name of their program."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (entry / "comm").read_text().strip() == name:
            found.append(int(entry.name))
    return found


@contextlib.contextmanager
def somebody_elses_bridge(docker: str, seen: dict[str, Any]) -> Iterator[None]:
    """For the block the machine's own Open vSwitch runs and has a bridge; notes all, before and after."""
    run([OVS_CTL, "start", "--system-id=random"])
    switch = SystemOpenVSwitch()
    switch.vsctl("add-br", "br-else", "--", "set-controller", "br-else", "tcp:127.0.0.1:6653")

    def look_at_both() -> dict[str, Any]:
        rows = {
            f"rows of {table}": sorted(str(row["_uuid"]) for row in switch.table(table, "_uuid"))
            for table in ("Bridge", "Port", "Interface", "QoS", "Controller")
        }
        return {**look(docker), **rows}

    seen["shared_before"] = look_at_both()
    yield
    seen["shared_after"] = look_at_both()
    switch.vsctl("del-br", "br-else")
    run([OVS_CTL, "stop"])


def look_at_network(plan: Plan, display: Display) -> dict[str, Any]:
    """Echo requests across a network whose links delay and lose, and what its queueing disciplines counted."""
    links = tuple(replace(link, loss=LOSS, delay_s=DELAY_S) for link in plan.fabric.links)
    plan = replace(plan, fabric=replace(plan.fabric, links=links))
    with EmulatedNetwork(plan, "vm-lossy", display.detail) as network:
        install_routes(network)
        first, second = network.hosts
        address = second.address.primary
        pinged = subprocess.run(
            ["nsenter", f"--net=/proc/{first.pid}/ns/net", "ping", "-c", str(PINGS), "-i", "0.05", "-W", "2", address],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        queues = [json.loads(run(["tc", "-s", "-j", "qdisc", "show"]))]
        queues += [json.loads(run(["tc", "-s", "-j", "qdisc", "show"], netns_of=host.pid)) for host in network.hosts]
        netems = [queue for namespace in queues for queue in namespace if queue["kind"] == "netem"]
        group = Path(f"/proc/{first.pid}/cgroup").read_text().strip()
        folder = Path("/sys/fs/cgroup") / group.partition("::")[2].lstrip("/")
        return {
            "datapath": network.datapath,
            "datapath_flows": run(["ovs-dpctl", "show"]),
            "ping": pinged,
            "round_trips_ms": [float(reply) for reply in _REPLY.findall(pinged)],
            "netems": len(netems),
            "netem_drops": sum(queue["drops"] for queue in netems),
            "cgroup": group,
            "congestion": [congestion_control(first, second) for _ in range(CONNECTIONS)],
            "limits": {name: (folder / name).read_text().strip() for name in _CGROUP_LIMITS},
        }


def congestion_control(first: HostHandle, second: HostHandle) -> str:
    """What a connection between two hosts has, by its own word."""
    address = second.address.primary
    with inside(second.pid, lambda: socket.create_server((address, 0))) as server:
        port = server.getsockname()[1]
        with inside(first.pid, lambda: socket.create_connection((address, port), timeout=30)) as connection:
            words = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return words.partition(b"\0")[0].decode()


def kill_in_mid_run(plan: Plan, docker: str) -> dict[str, Any]:
    """Bring a network up in a process of its own, kill that, and let `testbed clean` take away what is left."""
    before = look(docker)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            with EmulatedNetwork(plan, "vm-killed"):
                os.write(writing, b"up")
                time.sleep(600)
        finally:
            os._exit(1)
    os.close(writing)
    up = os.read(reading, 2)
    os.close(reading)
    left = look(docker)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    clean = [sys.executable, "-m", "testbed", "clean", "--json"]
    outputs = [json.loads(subprocess.run(clean, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    return {
        "was_up": up == b"up",
        "before": before,
        "left": left,
        "removed": [output["removed"] for output in outputs],
        "after": look(docker),
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
