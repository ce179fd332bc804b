"""One naming rule: everything a run creates bears the run's id, in full or as a short tag.

directory   /run/coflow-testbed/runs/RUN/
container   label coflow-testbed.run=RUN, name TAG-HOST
bridge      TAGsN         (interface names have at most 15 characters)
port        TAGsNpP       port P of switch number N
namespace   coflow-RUN-SWITCH, where a switch is a Linux router; its ports in it are called as above
group       32-bit number of the link group that every interface of the run is in
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import EmulationError

RUNTIME = Path("/run/coflow-testbed")
"""Everything that must not survive a restart of the machine."""
RUNS = RUNTIME / "runs"

RUN_LABEL = "coflow-testbed.run"
OWNER_LABEL = "coflow-testbed.owner"
BRIDGE_KEY = "coflow-testbed-run"
"""In a bridge's external_ids."""

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAG_LENGTH = 4
_TAG = re.compile(r'"tag": "(\w+)"')


@dataclass(frozen=True)
class Names:
    """What the things of one run are called."""

    run_id: str
    tag: str
    group: int

    @property
    def directory(self) -> Path:
        """The run's own directory under /run."""
        return RUNS / self.run_id

    def bridge(self, switch: int) -> str:
        """The bridge of a switch, by its number in `fabric.switches`."""
        return f"{self.tag}s{switch}"

    def port(self, switch: int, port: int) -> str:
        """The interface of a switch's port, in the root namespace."""
        return f"{self.tag}s{switch}p{port}"

    def namespace(self, switch: str) -> str:
        """The network namespace of a switch that is a Linux router, by the switch's name, as `ip netns` knows it."""
        return f"coflow-{self.run_id}-{switch}"

    def container(self, host: str) -> str:
        """The container of a host."""
        return f"{self.tag}-{host}"

    def control_dir(self, host: int) -> Path:
        """The directory that is bind-mounted into a host's container at /run/coflow."""
        return self.directory / "h" / str(host)  # short: a unix socket's path has 107 bytes


def make_names(run_id: str) -> Names:
    """Names for a run, with a tag and a link group that nothing on this machine uses yet.

    Runs whose switches are routers have no interface in the root namespace that would show their tag: they are known
    by what they have written down.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise EmulationError(
            f"run id '{run_id}': expected 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit"
        )
    interfaces = [entry.name for entry in Path("/sys/class/net").iterdir()]
    groups, tags = used_groups(), _tags_of_runs()
    for salt in range(1000):
        digest = hashlib.sha256(f"{run_id}/{salt}".encode()).digest()
        tag = "c" + base64.b32encode(digest).decode().lower()[: _TAG_LENGTH - 1]
        group = int.from_bytes(digest[:4], "big") % (2**31 - 2**16) + 2**16
        if group not in groups and tag not in tags and not any(name.startswith(tag) for name in interfaces):
            return Names(run_id, tag, group)
    raise EmulationError(f"run id '{run_id}': no free interface prefix found among the machine's {len(interfaces)}")


def _tags_of_runs() -> set[str]:
    """Tags in the state files of all runs that have one."""
    tags: set[str] = set()
    for path in RUNS.glob("*/state.json"):
        with contextlib.suppress(FileNotFoundError):  # ended meanwhile
            tags.update(_TAG.findall(path.read_text()))
    return tags


def used_groups() -> dict[int, list[str]]:
    """Link group -> the interfaces of the root namespace in it."""
    groups: dict[int, list[str]] = {}
    for entry in Path("/sys/class/net").iterdir():
        try:
            groups.setdefault(int((entry / "netdev_group").read_text()), []).append(entry.name)
        except (FileNotFoundError, NotADirectoryError, OSError):  # gone meanwhile, or a file such as bonding_masters
            continue
    return groups
