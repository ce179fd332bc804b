"""What a run has created or is about to create, written down before it is, for whoever has to clean up."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.emulation import names
from testbed.emulation.names import Names
from testbed.emulation.owner import Owner, this_process
from testbed.errors import EmulationError

STATE_FILE = "state.json"
_UNFINISHED = ".new-"


@dataclass
class RunState:
    """The contents of /run/coflow-testbed/runs/RUN/state.json."""

    run_id: str
    tag: str
    group: int
    owner: Owner
    interfaces: list[str] = field(default_factory=list)
    """Exact names of veths in the root namespace; they are in the link group from their first instant."""
    taps: list[str] = field(default_factory=list)
    """Exact names of the tap devices that ovs-vswitchd makes for bridges; put into the link group afterwards."""
    namespaces: list[str] = field(default_factory=list)
    """Exact names of the network namespaces that are routers, as `ip netns` knows them; they bear the run id."""
    private_ovs: bool = False
    """Whether ovsdb-server and ovs-vswitchd were started with sockets in the run's own directory."""
    system_bridges: bool = False
    """Whether the machine's own Open vSwitch holds bridges of this run."""
    docker_socket: str = ""
    """Of the daemon that holds the run's containers, '' before there are any."""

    @property
    def names(self) -> Names:
        """What the run's things are called."""
        return Names(self.run_id, self.tag, self.group)

    @property
    def directory(self) -> Path:
        """The run's own directory."""
        return names.RUNS / self.run_id

    def save(self) -> None:
        """Replace the state file in one step."""
        _write(self.directory, self)


def create_state(made: Names) -> RunState:
    """Make a run's directory with its first state in it, in one step; EmulationError where the run id is taken."""
    state = RunState(made.run_id, made.tag, made.group, this_process())
    try:
        names.RUNS.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{os.getpid()}-", dir=names.RUNS))
    except OSError as error:
        raise EmulationError(f"{names.RUNS}: the run's state cannot be kept there ({error.strerror})") from None
    try:
        fresh.chmod(0o700)  # control sockets are below: a container's user is also a user of this machine
        _write(fresh, state)
        fresh.rename(state.directory)
    except OSError as error:
        shutil.rmtree(fresh)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise EmulationError(f"{names.RUNS}: the run's state cannot be kept there ({error.strerror})") from None
        raise EmulationError(
            f"run id '{made.run_id}' is taken: {state.directory} exists; "
            "choose another, or remove what a dead run left with `testbed clean`"
        ) from None
    return state


def read_states() -> list[RunState]:
    """The state of every run that has a directory, in the order of their names."""
    states = []
    for path in sorted(names.RUNS.glob(f"*/{STATE_FILE}")):
        if path.parent.name.startswith(_UNFINISHED):
            continue
        try:
            states.append(_parse(path))
        except FileNotFoundError:  # ended meanwhile
            continue
    return states


def unfinished_directories() -> list[Path]:
    """Directories of dead processes that were killed before a run's first state was in place."""
    dead = []
    for path in sorted(names.RUNS.glob(f"{_UNFINISHED}*")):
        pid = path.name.removeprefix(_UNFINISHED).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            dead.append(path)
    return dead


def _parse(path: Path) -> RunState:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return RunState(**{**document, "owner": Owner(**document["owner"])})
    except (ValueError, TypeError, KeyError) as error:
        raise EmulationError(
            f"{path}: not a run's state ({error}); it was written by another version of the testbed: "
            f"stop that run, or remove what it left by hand and delete {path.parent}"
        ) from None


def _write(directory: Path, state: RunState) -> None:
    fresh = directory / f"{STATE_FILE}.new"
    fresh.write_text(json.dumps(asdict(state)))
    fresh.replace(directory / STATE_FILE)
