"""Taking away what a run made, by what it wrote down and by its labels: for its own end, and after it was killed.

Each thing is removed only if it bears the run's id: containers by label, interfaces by exact name *and* link group,
namespaces by exact name, bridges by external id, processes by the run's directory on their command line. What is gone
already is no error.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed.emulation import docker_service, names, shared, sysctls
from testbed.emulation.command import batch, run
from testbed.emulation.containers import container_name, remove_containers
from testbed.emulation.docker_service import answers, connect, docker_errors, find_daemon, own_socket
from testbed.emulation.names import OWNER_LABEL, RUN_LABEL
from testbed.emulation.netns import NAMED
from testbed.emulation.ovs_service import (
    SYSTEM_KIND,
    delete_system_bridges,
    forgotten_runs,
    kill_private,
    stop_system_ovs,
)
from testbed.emulation.owner import kill, parse_owner, processes_of_the_dead, programs, this_process
from testbed.emulation.state import RunState, read_states, unfinished_directories
from testbed.emulation.taps import RELEASED_S, is_attached, is_tap
from testbed.errors import EmulationError


@dataclass(frozen=True)
class Removal:
    """One thing that was removed, or would be."""

    run: str
    """'-' for what no single run owns."""
    kind: str
    """process, container, bridge, interface, namespace, sysctl, daemon or directory."""
    name: str

    def document(self) -> dict[str, str]:
        """As plain data."""
        return asdict(self)


def clean(dry_run: bool = False, log: Callable[[str], None] = lambda _: None) -> list[Removal]:
    """Remove what dead runs left on this machine, or only tell what that is. A second time there is nothing left."""
    names.RUNTIME.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (names.RUNTIME / "clean.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        removals = _programs_of_dead_runs(dry_run)
        dead = [state for state in read_states() if not state.owner.is_alive()]
        removals += _containers_of_dead_runs(dead, dry_run, log)
        for state in dead:
            removals += _remains(state, dry_run)
        for run_id in forgotten_runs():
            removals += [Removal(run_id, "bridge", name) for name in delete_system_bridges(run_id, dry_run)]
        for path in unfinished_directories():
            removals.append(Removal("-", "directory", str(path)))
            if not dry_run:
                remove_directory(path)
        return removals + _shared_things(dry_run)


def living_runs() -> list[RunState]:
    """The runs whose process still runs; they are left alone."""
    return [state for state in read_states() if state.owner.is_alive()]


def remove_interfaces(state: RunState, dry_run: bool = False) -> list[str]:
    """Delete the interfaces of a run from the root namespace; which there were. Its switch daemon must have ended.

    All in one step by link group, where nothing else is in it: one by one would take 20 ms a pair.
    """
    patience_s = 0.0 if dry_run else RELEASED_S  # only what has been killed lets go of anything
    leftover = [name for name in state.taps if is_tap(name) and not is_attached(name, patience_s)]
    if dry_run:
        members = names.used_groups().get(state.group, [])
        return sorted({name for name in members if name in state.interfaces} | set(leftover))
    batch("ip", (f"link set dev {name} group {state.group}" for name in leftover))
    mine = set(state.interfaces) | set(leftover)
    members = names.used_groups().get(state.group, [])
    found = sorted(name for name in members if name in mine)
    if found and set(members) <= mine:
        run(["ip", "link", "delete", "group", str(state.group)])
    else:  # somebody else uses our number
        for name in found:
            if Path(f"/sys/class/net/{name}").exists():  # the other end of its pair may have taken it along
                run(["ip", "link", "delete", "dev", name])
    return found


def remove_namespaces(state: RunState, dry_run: bool = False) -> list[str]:
    """Delete the network namespaces of a run's routers, with all ports in them; which there were."""
    found = [name for name in state.namespaces if (NAMED / name).exists()]
    if not dry_run:
        batch("ip", (f"netns delete {name}" for name in found))
    return found


def remove_directory(directory: Path) -> None:
    """Remove a run's directory, last of all: while it is there the run is known."""
    if directory.parent != names.RUNS:
        raise EmulationError(f"{directory} is not a run's directory; expected one below {names.RUNS}")
    shutil.rmtree(directory, ignore_errors=True)


def _programs_of_dead_runs(dry_run: bool) -> list[Removal]:
    """End what dead runs had called and what goes on without them, before it makes more of what is removed next."""
    pids = processes_of_the_dead()
    found = [Removal("-", "process", each) for each in programs(pids)]
    left = [] if dry_run else kill(pids)
    if left:
        raise EmulationError(f"processes {left} of a dead run did not end; kill them and try again")
    return found


def _remains(state: RunState, dry_run: bool) -> list[Removal]:
    """Remove everything of a dead run but its containers."""
    found = {
        "process": kill_private(state.directory, dry_run),
        "bridge": delete_system_bridges(state.run_id, dry_run) if state.system_bridges else [],
        "interface": remove_interfaces(state, dry_run),
        "namespace": remove_namespaces(state, dry_run),
        "directory": [str(state.directory)],
    }
    if not dry_run:
        remove_directory(state.directory)
    return [Removal(state.run_id, kind, name) for kind, things in found.items() for name in things]


def _containers_of_dead_runs(dead: Iterable[RunState], dry_run: bool, log: Callable[[str], None]) -> list[Removal]:
    """Remove containers whose owner is gone; they carry it, so they are found without the run's directory as well."""
    sockets = {state.docker_socket for state in dead if state.docker_socket}
    removals: list[Removal] = []
    with contextlib.ExitStack() as stack:
        if own_socket() in sockets and not answers(own_socket()) and not dry_run:
            # Only a daemon can forget its containers, and starting it ends those that run on without one.
            docker_service.hold_own_daemon("clean", this_process(), log)
            stack.callback(docker_service.release_own_daemon, "clean")
        for socket in sorted({find_daemon(), own_socket(), *sockets} - {None}, key=str):
            if socket is None or not answers(socket):
                continue
            client = stack.enter_context(connect(socket))
            for run_id in _dead_labels(client):
                found = _labelled(client, run_id) if dry_run else remove_containers(client, run_id, strays=True)
                removals += [Removal(run_id, "container", name) for name in found]
    return removals


def _dead_labels(client: Any) -> list[str]:
    """Run ids on containers whose owner is gone."""
    dead = set()
    with docker_errors():
        for container in client.containers(all=True, filters={"label": RUN_LABEL}):
            owner = parse_owner(container["Labels"].get(OWNER_LABEL, ""))
            if owner is not None and not owner.is_alive():
                dead.add(str(container["Labels"][RUN_LABEL]))
    return sorted(dead)


def _labelled(client: Any, run_id: str) -> list[str]:
    with docker_errors():
        found = client.containers(all=True, filters={"label": f"{RUN_LABEL}={run_id}"})
    return [container_name(container) for container in found]


def _shared_things(dry_run: bool) -> list[Removal]:
    """Undo settings and end daemons that only dead runs used."""
    undo: dict[str, Callable[[shared.Entry], None]] = {
        sysctls.KIND: sysctls.restore,
        docker_service.KIND: lambda _: docker_service.stop_own_daemon(),
        SYSTEM_KIND: stop_system_ovs,
    }
    removals = []
    with shared.locked() as entries:
        for key, entry in list(entries.items()):
            if shared.living_users(entry):
                continue
            if entry["kind"] == sysctls.KIND:
                removals.append(Removal("-", "sysctl", f"{entry['name']} back to {entry['old']}"))
            else:
                removals.append(Removal("-", "daemon", entry["kind"]))
            if not dry_run:
                undo[entry["kind"]](entry)
                del entries[key]
    return removals
