"""Which Open vSwitch a run gets: a private one for the userspace datapath, the machine's own for the kernel datapath.

A private ovsdb-server and ovs-vswitchd leave the machine's own Open vSwitch untouched, and see the socket buffer size
that was set before they started. The kernel datapath exists once in a kernel, so there the machine's own has to serve.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from testbed.emulation import names, shared
from testbed.emulation.command import run
from testbed.emulation.names import BRIDGE_KEY
from testbed.emulation.open_vswitch import (
    READY_DEADLINE_S,
    OpenVSwitch,
    PrivateOpenVSwitch,
    SystemOpenVSwitch,
    system_runs,
)
from testbed.emulation.owner import kill, processes_with_argument, programs, start_time, this_process
from testbed.emulation.shared import Entry
from testbed.emulation.state import RunState
from testbed.emulation.taps import SHARED_TAP, is_attached, is_tap
from testbed.errors import CapabilityError, EmulationError
from testbed.interrupts import held_back

SYSTEM_KIND = "system-ovs"
OVS_CTL = "/usr/share/openvswitch/scripts/ovs-ctl"


@contextlib.contextmanager
def private_open_vswitch(state: RunState) -> Iterator[OpenVSwitch]:
    """A private Open vSwitch for the block; only for the run whose turn it is (`userspace_turn`)."""
    state.private_ovs = True
    state.save()
    switch = PrivateOpenVSwitch(state.directory / "ovs")
    try:
        with held_back():  # a daemon that has just been started must be known
            switch.start()
        yield switch
    finally:
        switch.stop()


@contextlib.contextmanager
def system_open_vswitch(state: RunState, log: Callable[[str], None]) -> Iterator[OpenVSwitch]:
    """The machine's own Open vSwitch for the block, started for it (and ended after it) where it does not run.

    The run's bridges go when the block is left.
    """
    state.system_bridges = True
    state.save()

    def start(_: Entry) -> None:
        if not system_runs("ovs-vswitchd"):
            run([OVS_CTL, "start", "--system-id=random"], timeout_s=READY_DEADLINE_S * 2, lasting=True)
            log("openvswitch: started the machine's own")
            for run_id in forgotten_runs():
                for bridge in delete_system_bridges(run_id):
                    log(f"openvswitch: removed bridge {bridge} of run {run_id}, which it had kept")

    ours = not system_runs("ovs-vswitchd") or SYSTEM_KIND in shared.read()
    if ours:
        shared.join(SYSTEM_KIND, state.run_id, this_process(), lambda: {"kind": SYSTEM_KIND}, start)
    try:
        yield SystemOpenVSwitch()
    finally:
        try:
            delete_system_bridges(state.run_id)
        finally:
            if ours:
                release_system_ovs(state.run_id)


def release_system_ovs(run_id: str) -> None:
    """Let go of the machine's own Open vSwitch; where the testbed started it, it ends with its last user."""
    shared.leave(SYSTEM_KIND, run_id, stop_system_ovs)


def stop_system_ovs(_: Entry) -> None:
    """End the machine's own Open vSwitch, which the testbed had started, unless somebody else uses it by now."""
    switch = SystemOpenVSwitch()
    if system_runs("ovs-vswitchd") and not switch.vsctl("list-br").split():
        run([OVS_CTL, "stop"], timeout_s=READY_DEADLINE_S * 2)


def forgotten_runs() -> list[str]:
    """Runs that have bridges in the machine's own Open vSwitch, and no directory any more.

    After a restart of the machine it makes the bridges anew that it had, and nothing else is left of such a run.
    """
    if not system_runs("ovs-vswitchd"):
        return []
    ids = [dict(row["external_ids"][1]) for row in SystemOpenVSwitch().table("Bridge", "external_ids")]
    # A run has its directory before its bridges, and until they are gone: so bridges are listed first.
    return sorted({entry[BRIDGE_KEY] for entry in ids if BRIDGE_KEY in entry and not _is_known(entry[BRIDGE_KEY])})


def _is_known(run_id: str) -> bool:
    return (names.RUNS / run_id).exists()


def delete_system_bridges(run_id: str, dry_run: bool = False) -> list[str]:
    """Delete the bridges of a run from the machine's own Open vSwitch; which there were."""
    if not system_runs("ovs-vswitchd"):
        return []
    switch = SystemOpenVSwitch()
    ours = f"external_ids:{BRIDGE_KEY}={run_id}"
    found = switch.vsctl("--bare", "--columns=name", "find", "Bridge", ours).split()
    qos = switch.vsctl("--bare", "--columns=_uuid", "find", "QoS", ours).split()
    if not dry_run:
        _transaction(switch, [["--if-exists", "del-br", bridge] for bridge in found])
        # Nothing deletes a QoS row when its ports go, and in one transaction with them it may not be.
        _transaction(switch, [["destroy", "QoS", row] for row in qos])
    return found


def _transaction(switch: OpenVSwitch, commands: Sequence[list[str]]) -> None:
    words = [word for command in commands for word in ("--", *command)]
    if words:
        switch.vsctl(*words[1:])


def kill_private(directory: Path, dry_run: bool = False) -> list[str]:
    """Kill the daemons that a dead run started with files in its own directory; their names and numbers."""
    pids = [pid for pid in processes_with_argument(str(directory)) if start_time(pid) is not None]
    named = programs(pids)
    left = [] if dry_run else kill(pids)
    if left:
        raise EmulationError(f"processes {left} of the run in {directory} did not end; kill them and try again")
    return named


@contextlib.contextmanager
def userspace_turn(run_id: str, wait_s: float, log: Callable[[str], None]) -> Iterator[None]:
    """Hold the machine's one userspace datapath for the block, until its interfaces are gone; wait for another run.

    The kernel lets go of the lock when this process ends, however. EmulationError where the other run does not end
    within `wait_s`, CapabilityError where another Open vSwitch has such a datapath.
    """
    path = names.RUNTIME / "ovs-user.lock"
    with path.open("a+") as lock:
        end, told = time.monotonic() + wait_s, False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip()
                if time.monotonic() >= end:
                    raise EmulationError(
                        f"the userspace datapath is taken by {holder}; a machine has one at a time: "
                        f"waited {wait_s:g} s for it to end"
                    ) from None
                if not told:
                    log(f"openvswitch: waiting for {holder} to end (one userspace datapath at a time)")
                    told = True
                time.sleep(0.1)
        lock.truncate(0)
        lock.write(f"run {run_id} (pid {os.getpid()})")
        lock.flush()
        if is_tap(SHARED_TAP) and is_attached(SHARED_TAP):
            raise CapabilityError(
                f"interface {SHARED_TAP} belongs to another Open vSwitch with userspace bridges "
                "(datapath_type=netdev); a machine has one such datapath: remove those bridges"
            )
        yield
