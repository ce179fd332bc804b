"""The hosts' containers: made and started several at a time, with the actor as their first process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.client.client import SOCKET
from testbed.emulation.control_groups import remove_control_groups
from testbed.emulation.docker_service import docker_errors
from testbed.emulation.host_network import container_sysctls
from testbed.emulation.names import OWNER_LABEL, RUN_LABEL
from testbed.emulation.owner import kill, processes_in_container, start_time
from testbed.emulation.parallel import in_parallel
from testbed.emulation.state import RunState
from testbed.errors import EmulationError
from testbed.plan import Address, Plan
from testbed.replay.programs import APPLICATION_FOLDER, LIBRARY
from testbed.replay.setup import CONTROL_PORT

ACTOR_FOLDER = Path(__file__).resolve().parents[1] / "actor"
ACTOR_MOUNT = "/opt/coflow/actor"
CONTROL_MOUNT = "/run/coflow"
CLIENT_FOLDER = ACTOR_FOLDER.parent / "client"
_ACTOR = ("/usr/bin/python3", "-B", ACTOR_MOUNT, "--applications", SOCKET)
ACTOR_COMMAND = (*_ACTOR, "--socket", f"{CONTROL_MOUNT}/actor.sock")
IN_BAND_COMMAND = (*_ACTOR, "--socket", f"0.0.0.0:{CONTROL_PORT}")
"""The actor where control is in-band. It listens before its addresses are there, so on all that it will have."""
UNPRIVILEGED = 65534
"""User and group that everything in a container runs as; it owns no file of the machine."""
PIDS_LIMIT = 256
_END_S = 10


@dataclass(frozen=True)
class HostHandle:
    """A running host. The actor listens at `control_dir / "actor.sock"`."""

    name: str
    pid: int
    """Of the container's first process."""
    start: int
    """Its start time, which tells it from a later process with the same number."""
    control_dir: Path
    """On this machine; the container sees it as /run/coflow."""
    container_id: str
    address: Address


def start_containers(
    client: Any, plan: Plan, state: RunState, image: str, command: Sequence[str] = ACTOR_COMMAND
) -> list[HostHandle]:
    """One running container per host, by host number: no network, no capability, a read-only root.

    When it is interrupted or one fails, those under way are finished first; all bear the run's label.
    """
    addresses = {address.host: address for address in plan.addresses}
    hosts = plan.fabric.hosts
    missing = [host.name for host in hosts if host.name not in addresses]
    if missing:
        raise EmulationError(f"the plan has no address for host {missing[0]}; expected one for each of {len(hosts)}")
    host_config = client.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        mem_limit=plan.host.memory_bytes,
        memswap_limit=plan.host.memory_bytes,
        nano_cpus=round(plan.host.cpus * 1e9),
        pids_limit=PIDS_LIMIT,
        sysctls=container_sysctls(plan.tcp),
        log_config={"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        restart_policy={"Name": "no"},
    )
    labels = {RUN_LABEL: state.run_id, OWNER_LABEL: str(state.owner)}

    def start(number: int) -> HostHandle:
        name = hosts[number].name
        control_dir = state.names.control_dir(number)
        control_dir.mkdir(mode=0o700, parents=True)
        os.chown(control_dir, UNPRIVILEGED, UNPRIVILEGED)
        mounts = [
            _mount(control_dir, CONTROL_MOUNT, read_only=False),
            _mount(ACTOR_FOLDER, ACTOR_MOUNT),
            _mount(ACTOR_FOLDER, f"{LIBRARY}/testbed/actor"),
            _mount(CLIENT_FOLDER, f"{LIBRARY}/testbed/client"),
        ]
        if plan.applications.programs:
            mounts.append(_mount(Path(plan.applications.folder).resolve(), APPLICATION_FOLDER))
        made = client.create_container(
            image,
            command=list(command),
            name=state.names.container(name),
            hostname=name,
            user=f"{UNPRIVILEGED}:{UNPRIVILEGED}",
            working_dir="/",
            labels=labels,
            host_config={**host_config, "Mounts": mounts},
        )
        client.start(made["Id"])
        pid = int(client.inspect_container(made["Id"])["State"]["Pid"])
        started = start_time(pid) if pid else None
        if started is None:
            raise EmulationError(f"host {name}: {describe_end(client, made['Id'])}")
        return HostHandle(name, pid, started, control_dir, made["Id"], addresses[name])

    with docker_errors():
        return in_parallel(start, range(len(hosts)))


def remove_containers(client: Any, run_id: str, strays: bool = False) -> list[str]:
    """Remove every container of a run, running or not; their names.

    With `strays`, also kill what still runs in one of which Docker's own processes were killed.
    """
    from docker.errors import NotFound

    def remove(container: dict[str, Any]) -> str:
        with contextlib.suppress(NotFound):  # somebody else was faster
            client.remove_container(container["Id"], force=True)
        if strays:
            kill(processes_in_container(container["Id"]))
            remove_control_groups({container["Id"]})
        return container_name(container)

    with docker_errors():
        return in_parallel(remove, client.containers(all=True, filters={"label": f"{RUN_LABEL}={run_id}"}))


def container_name(container: dict[str, Any]) -> str:
    """The name of a container as Docker lists it."""
    return str(container["Names"][0]).lstrip("/") if container["Names"] else str(container["Id"])[:12]


def describe_end(client: Any, container_id: str) -> str:
    """How a container ended, in words, with the end of what it printed."""
    try:
        with docker_errors():
            client.wait(container_id, timeout=_END_S)  # Docker hears of it a moment after the process is gone
            state = client.inspect_container(container_id)["State"]
            words = client.logs(container_id, tail=8).decode(errors="replace").strip()
    except EmulationError as error:
        return f"its container ended, and Docker does not tell how ({error})"
    how = "ran out of memory" if state.get("OOMKilled") else f"ended with status {state.get('ExitCode')}"
    return f"its container {how}" + (f"; it printed:\n  {words}" if words else "")


def _mount(source: Path, target: str, read_only: bool = True) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}
