"""Control groups of containers whose processes were killed rather than ended by Docker: nobody else removes them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Set
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def remove_control_groups(containers: Set[str]) -> None:
    """Remove the groups of containers, by their ids, in all hierarchies; a group with a process in it stays."""
    for folder, inner, _ in os.walk(ROOT):  # which takes it that groups go while it looks
        for name in inner:
            # docker/ID, or docker-ID.scope under systemd
            if name.removeprefix("docker-").removesuffix(".scope") in containers:
                with contextlib.suppress(OSError):  # somebody else was faster
                    Path(folder, name).rmdir()
