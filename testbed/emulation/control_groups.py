"""Control groups of containers whose processes were killed rather than ended by Docker: nobody else removes them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def remove_control_groups(containers: Collection[str]) -> None:
    """Remove the groups of containers, by their ids, in all hierarchies; a group with a process in it stays."""
    if not containers:
        return
    for group in ROOT.glob("**/docker*"):
        for each in [group, *group.glob("*")]:  # docker-ID.scope under systemd, else docker/ID
            if each.name.removeprefix("docker-").removesuffix(".scope") in containers:
                with contextlib.suppress(OSError):  # somebody else was faster
                    each.rmdir()
