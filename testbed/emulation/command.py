"""Running the machine's own programs: one place for input, deadline, missing programs and the error text."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence

from testbed.emulation.netns import Netns, netns_file
from testbed.emulation.owner import MARK, this_process
from testbed.errors import CapabilityError, EmulationError

PACKAGE_OF = {
    "apt-cache": "apt",
    "dockerd": "docker.io",
    "ethtool": "ethtool",
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "mmdebstrap": "mmdebstrap",
    "mnexec": "mininet",
    "modprobe": "kmod",
    "nsenter": "util-linux",
    "ovs-ofctl": "openvswitch-switch",
    "ovs-vsctl": "openvswitch-switch",
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ovsdb-tool": "openvswitch-switch",
    "tc": "iproute2",
    "unshare": "util-linux",
}
"""Program -> the Debian or Ubuntu package that has it."""

_FAILED_LINE = re.compile(r"Command failed -:(\d+)")


def run(
    argv: Sequence[str],
    *,
    stdin: str = "",
    timeout_s: float = 60.0,
    netns_of: Netns | None = None,
    lasting: bool = False,
) -> str:
    """Standard output of a program; EmulationError with its own words where it fails.

    `netns_of` is the network namespace that it runs in (None: the testbed's own). The program gets a
    session of its own, so that Ctrl-C in a terminal does not tear it off in the middle of a batch. Unless it is
    `lasting`, it is ended by whoever cleans up after a testbed that was killed meanwhile.
    """
    if netns_of is not None:
        argv = ["nsenter", f"--net={netns_file(netns_of)}", *argv]
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            start_new_session=True,
            env=None if lasting else {**os.environ, MARK: str(this_process())},
            check=False,
        )
    except FileNotFoundError:
        raise missing_program(argv[0]) from None
    except subprocess.TimeoutExpired:
        raise EmulationError(
            f"'{shorten(argv)}' did not end within {timeout_s:g} s; is this machine overloaded?"
        ) from None
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).replace("\n", "; ")
        raise EmulationError(
            f"'{shorten(argv)}' ended with status {done.returncode}: {words}{_line_of(done.stderr, stdin)}"
        )
    return done.stdout


def batch(program: str, lines: Iterable[str], *options: str, netns_of: Netns | None = None) -> str:
    """Run `ip` or `tc` once for many command lines; EmulationError names the line that failed."""
    text = "\n".join(lines)
    return run([program, *options, "-batch", "-"], stdin=text + "\n", netns_of=netns_of) if text else ""


def missing_program(name: str) -> CapabilityError:
    """The error for a program that is not installed, with the package that has it."""
    package = PACKAGE_OF.get(name)
    remedy = f"install the package {package} (make setup does)" if package else "install it"
    return CapabilityError(f"program '{name}' not found on the path; {remedy}")


def shorten(argv: Sequence[str], limit: int = 120) -> str:
    """A command as one line for an error message."""
    line = shlex.join(argv)
    return line if len(line) <= limit else line[:limit] + " ..."


def _line_of(stderr: str, stdin: str) -> str:
    """' (line 3: link add ...)' where a batch says which of its lines failed."""
    match = _FAILED_LINE.search(stderr)
    lines = stdin.splitlines()
    if match is None or not 0 < int(match[1]) <= len(lines):
        return ""
    return f" (line {match[1]}: {lines[int(match[1]) - 1]})"
