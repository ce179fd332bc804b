"""The machine's own disk: this machine's Debian release with its cloud kernel and all that the testbed needs of it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vm_cache import BUILD_TIMEOUT_S, cached, make_disk

from testbed.emulation.command import run
from testbed.emulation.image import CACHE, apt_mirror, this_release
from testbed.errors import CapabilityError

ROOT = Path(__file__).resolve().parents[2]
NEEDS = ROOT / "scripts/system-packages"
INIT = """#!/bin/sh
mount -t proc proc /proc
mkdir /project && tar -xf /dev/vdc -C /project && exec /project/tests/vm/init
"""
"""The first process: unpacks the project, which goes on from there."""
INIT_PLACE = "sbin/coflow-init"
KERNEL = "linux-image-cloud-amd64"
ROOM_BYTES = 1 << 30
"""For Docker's images, and for results."""

_NEED = re.compile(r"^  [\w-]+:([\w.+-]+)", re.MULTILINE)


@dataclass(frozen=True)
class RootDisk:
    """What a boot needs."""

    disk: Path
    kernel: Path
    initrd: Path


def root_disk(log: Callable[[str], None]) -> RootDisk:
    """The disk from the cache, made first where it is not there. CapabilityError where it cannot be made."""
    if platform.machine() != "x86_64" or "\nID=debian\n" not in f"\n{Path('/etc/os-release').read_text()}":
        raise CapabilityError(
            f"the virtual machine boots Debian's kernel {KERNEL}, taken from this machine's own release; "
            f"expected Debian on x86_64, this is {platform.machine()} with another release"
        )
    if os.geteuid() != 0:
        raise CapabilityError(f"the virtual machine's disks are made by mmdebstrap and kept in {CACHE}: run it as root")
    release = this_release()
    packages = [KERNEL, "python3", "kmod", *needed_packages(NEEDS.read_text())]

    def make(folder: Path) -> None:
        log(f"unpacking {release.codename} with {len(packages)} packages (once, a minute or two)")
        root = folder / "root"
        mirror = apt_mirror()
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
        command += ["--aptopt=APT::Install-Recommends false", release.codename, str(root)]
        command += [mirror] if mirror else []
        run(command, timeout_s=BUILD_TIMEOUT_S)
        (root / INIT_PLACE).write_text(INIT)
        (root / INIT_PLACE).chmod(0o755)
        for name in ("vmlinuz", "initrd.img"):
            (found,) = root.glob(f"boot/{name}-*")
            shutil.move(found, folder / name)
        make_disk(root, folder / "root.ext4", ROOM_BYTES)
        shutil.rmtree(root)

    folder = cached("vm-root", [release.codename, *packages, INIT], make)
    return RootDisk(folder / "root.ext4", folder / "vmlinuz", folder / "initrd.img")


def needed_packages(script: str) -> list[str]:
    """The system packages that scripts/system-packages installs, those for tests left out."""
    needs = script.partition("needs=(")[2].partition("\n)")[0]
    return list(dict.fromkeys(_NEED.findall(needs)))
