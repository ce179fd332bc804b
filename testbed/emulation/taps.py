"""Tap devices, which ovs-vswitchd makes for bridges of the userspace datapath and leaves behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from pathlib import Path

from testbed.emulation.command import run
from testbed.errors import CapabilityError, EmulationError

SHARED_TAP = "ovs-netdev"
"""The userspace datapath's own tap device; its name is fixed, hence one such datapath per network namespace."""

TUN = Path("/dev/net/tun")
"""What makes tap devices; where the kernel has it as a module, it may have to be loaded first."""
RELEASED_S = 0.5
"""A process that has ended may have its devices for a moment longer: the kernel closes files behind it."""
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000


def require_taps() -> None:
    """Load what makes tap devices where it is a module; CapabilityError where this kernel has none."""
    if TUN.exists():
        return
    with contextlib.suppress(EmulationError):
        run(["modprobe", "--quiet", "tun"])
    if not TUN.exists():
        raise CapabilityError(
            f"datapath 'ovs-user': there is no {TUN}, with which Open vSwitch makes its userspace bridges, and the "
            "kernel module 'tun' cannot be loaded; install it, or choose 'ovs-kernel' or 'router' in the topology file"
        )


def is_tap(name: str) -> bool:
    """Whether an interface of the root namespace is a tap device."""
    return Path(f"/sys/class/net/{name}/tun_flags").exists()


def is_attached(name: str, patience_s: float = RELEASED_S) -> bool:
    """Whether some process has a tap device, which must exist, open, and still has after `patience_s`."""
    end = time.monotonic() + patience_s
    while not _can_be_taken(name):
        if time.monotonic() > end:
            return True
        time.sleep(0.005)
    return False


def _can_be_taken(name: str) -> bool:
    """Whether a tap device that is left over can be had; it is let go of at once."""
    request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI)
    device = os.open(TUN, os.O_RDWR)
    try:
        fcntl.ioctl(device, _TUNSETIFF, request)
    except OSError:
        return False
    finally:
        os.close(device)
    return True
