"""Kernel settings that hold for the whole machine: changed for a run, and put back after the last one."""

from __future__ import annotations

from pathlib import Path

from testbed.emulation import shared
from testbed.emulation.owner import Owner
from testbed.emulation.shared import Entry

KIND = "sysctl"
WMEM_DEFAULT = "net.core.wmem_default"
"""Send buffer of sockets that ask for none. All ports of a userspace switch send through one such socket, so at the
kernel's default a congested port makes idle ports drop."""
WMEM_BYTES = 67_108_864


def raise_sysctl(name: str, value: int, user: str, owner: Owner) -> None:
    """Raise a setting to a value for as long as the user needs it; a higher one is left as it is."""

    def describe() -> Entry:
        return {"kind": KIND, "name": name, "old": read(name), "new": str(max(value, int(read(name))))}

    def change(entry: Entry) -> None:
        _path(name).write_text(entry["new"])

    shared.join(f"{KIND}:{name}", user, owner, describe, change)


def release_sysctl(name: str, user: str) -> None:
    """Let go of a setting; with its last user the old value comes back."""
    shared.leave(f"{KIND}:{name}", user, restore)


def restore(entry: Entry) -> None:
    """Put the old value back, unless somebody else has changed the setting meanwhile."""
    if read(entry["name"]) == entry["new"]:
        _path(entry["name"]).write_text(entry["old"])


def read(name: str) -> str:
    """The present value of a setting."""
    return _path(name).read_text().strip()


def _path(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")
