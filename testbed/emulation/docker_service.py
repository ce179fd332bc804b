"""The Docker daemon: the machine's own where one answers, else one of ours with its own directories.

Ours keeps images in /var/lib/coflow-testbed/docker from run to run, and everything else under /run/coflow-testbed.
It gets no bridge, no firewall rules and no forwarding, so the machine's network stays as it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from testbed.actor import endpoint
from testbed.emulation import names, shared
from testbed.emulation.command import missing_program
from testbed.emulation.control_groups import remove_control_groups
from testbed.emulation.owner import Owner, kill, processes_with_argument, this_process, with_descendants
from testbed.emulation.shared import Entry
from testbed.errors import CapabilityError, EmulationError
from testbed.interrupts import held_back

KIND = "dockerd"
DATA_ROOT = Path("/var/lib/coflow-testbed/docker")
SYSTEM_SOCKET = "unix:///var/run/docker.sock"
START_DEADLINE_S = 30.0
GONE_AFTER_S = 2.0  # while it becomes another program, a process shows no arguments
STOP_DEADLINE_S = 15.0
LOG_NAME = "dockerd.log"
LONGEST_LOG_BYTES = 256_000
API_TIMEOUT_S = 60
CONNECTIONS = 16


def own_directory() -> Path:
    """Socket, log, pid file and exec-root of the daemon that the testbed starts."""
    return names.RUNTIME / "docker"


def own_socket() -> str:
    """Where the testbed's own daemon listens."""
    return f"unix://{own_directory()}/docker.sock"


@contextlib.contextmanager
def docker_daemon(user: str, log: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """The URL of a Docker daemon's socket, for the time of the block.

    A daemon that this starts runs until its last user leaves, whichever run that is. EmulationError where none can
    be had.
    """
    socket = find_daemon()
    if socket is not None and socket != own_socket():
        yield socket
        return
    user = f"{user} ({os.getpid()})"
    hold_own_daemon(user, this_process(), log)
    try:
        yield own_socket()
    finally:
        release_own_daemon(user)


def find_daemon() -> str | None:
    """The socket of a local daemon that answers: $DOCKER_HOST, the system's, or one that the testbed started."""
    given = os.environ.get("DOCKER_HOST", "")
    for socket in (given, SYSTEM_SOCKET, own_socket()):
        if socket.startswith("unix://") and answers(socket):
            return socket
    return None


def answers(socket: str) -> bool:
    """Whether a Docker daemon listens on a unix socket and answers."""
    try:
        # The Docker client leaves its own socket unclosed where a daemon is bound to the path but does not listen yet.
        endpoint.connect(socket.removeprefix("unix://"), timeout_s=5).close()
        with connect(socket, timeout_s=5) as client:
            return bool(client.ping())
    except Exception:  # docker, requests and urllib3 each have their own; all mean no
        return False


@contextlib.contextmanager
def connect(socket: str, timeout_s: float = API_TIMEOUT_S) -> Iterator[Any]:
    """A low-level Docker client for several threads, closed at the end of the block."""
    import docker

    client = docker.APIClient(base_url=socket, timeout=timeout_s, max_pool_size=CONNECTIONS)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def docker_errors() -> Iterator[None]:
    """Turn whatever the Docker client raises in the block into an EmulationError with the daemon's own words."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise EmulationError(f"docker: {getattr(error, 'explanation', None) or error}") from None


def daemon_pid() -> int | None:
    """The process of the testbed's own daemon, where it runs."""
    try:
        pid = int((own_directory() / "dockerd.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in processes_with_argument(str(own_directory())) else None


def hold_own_daemon(user: str, owner: Owner, log: Callable[[str], None]) -> None:
    """Start the testbed's own daemon unless it runs, and keep it until `release_own_daemon`."""

    def start(_: Entry) -> None:
        if not answers(own_socket()):
            _start_anew(log)

    try:
        shared.join(KIND, user, owner, lambda: {"kind": KIND}, start)
        if daemon_pid() is None:  # it has died under its other users
            revive_own_daemon(log)
        _bound_log()
    except BaseException:
        release_own_daemon(user)
        raise


def revive_own_daemon(log: Callable[[str], None]) -> None:
    """Start the testbed's own daemon anew where it has died under its users, or dies; its containers go with it."""
    with shared.locked():
        if daemon_pid() is None or not answers(own_socket()):
            _start_anew(log)


def _bound_log() -> None:
    """Begin the daemon's log anew where it has become long: each container adds a kilobyte, and sweeps have many."""
    log_file = own_directory() / LOG_NAME
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > LONGEST_LOG_BYTES:
            os.truncate(log_file, 0)  # it is written by appending


def _start_anew(log: Callable[[str], None]) -> None:
    stop_own_daemon()  # what a killed one left
    began = time.monotonic()
    _start()
    log(f"docker: started our own daemon in {time.monotonic() - began:.2f} s")


def release_own_daemon(user: str) -> None:
    """Let go of the daemon; with its last user it ends."""
    with held_back():
        shared.leave(KIND, user, lambda _: stop_own_daemon())


def own_processes() -> list[int]:
    """Processes of the testbed's own daemon: itself, its containerd, the shims of its containers, and what runs in
    those (a shim that is killed alone would leave its container running)."""
    return with_descendants(processes_with_argument(str(own_directory())))


def stop_own_daemon() -> None:
    """End the testbed's own daemon in order, then whatever of it still runs, and undo its mounts."""
    directory = own_directory()
    daemon = daemon_pid()
    if daemon is not None:
        kill([daemon], signal.SIGTERM, STOP_DEADLINE_S)
    while pids := own_processes():  # one that is starting has children that were not there a moment ago
        left = kill(pids)
        if left:
            raise EmulationError(f"docker: processes {left} of our own daemon did not end; kill them and try again")
    for mount in reversed(_mounts_below(directory, DATA_ROOT)):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    remove_control_groups({path.name for path in (DATA_ROOT / "containers").glob("*")})
    # A pid file of a killed containerd would keep the next dockerd from starting one.
    shutil.rmtree(directory / "exec", ignore_errors=True)
    for folder in (DATA_ROOT / "containerd/daemon").glob(
        "io.containerd.runtime.*/*/*"
    ):  # of containers that were killed
        shutil.rmtree(folder, ignore_errors=True)
    (directory / "dockerd.pid").unlink(missing_ok=True)
    (directory / "docker.sock").unlink(missing_ok=True)


def _start() -> None:
    directory = own_directory()
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    DATA_ROOT.mkdir(mode=0o711, parents=True, exist_ok=True)
    command = [
        "dockerd", "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
        "--userland-proxy=false", "--log-level=warn", f"--data-root={DATA_ROOT}", f"--exec-root={directory}/exec",
        f"--pidfile={directory}/dockerd.pid", f"--host={own_socket()}",
    ]  # fmt: skip
    if "overlay" in Path("/proc/filesystems").read_text():
        command.append("--storage-driver=overlay2")
    if shutil.which("dockerd") is None:
        raise missing_program("dockerd")
    log_file = directory / LOG_NAME
    # No child of ours: it may serve other runs after this process has ended.
    log_file.unlink(missing_ok=True)
    with log_file.open("ab") as log, held_back():
        subprocess.run(["setsid", "--fork", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    seen = begin = time.monotonic()
    while not answers(own_socket()):
        now = time.monotonic()
        if processes_with_argument(str(directory)):
            seen = now
        ended = now - seen > GONE_AFTER_S
        if ended or now - begin > START_DEADLINE_S:
            what = "ended" if ended else f"did not answer within {START_DEADLINE_S:g} s"
            lines = log_file.read_text(errors="replace").splitlines()[-15:]
            raise CapabilityError(
                f"docker: our own dockerd {what}; start Docker by hand, or see {log_file}. Its last words:\n  "
                + "\n  ".join(lines)
            )
        time.sleep(0.01)


def _mounts_below(*directories: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if any(Path(point).is_relative_to(directory) for directory in directories)]
