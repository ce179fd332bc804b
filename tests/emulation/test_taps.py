"""What makes tap devices, where the kernel has it as a module and where it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.emulation import taps
from testbed.errors import CapabilityError, EmulationError


def test_the_module_is_loaded_where_the_device_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, commands = tmp_path / "tun", []

    def load(argv: list[str]) -> str:
        commands.append(argv)
        device.touch()
        return ""

    monkeypatch.setattr(taps, "TUN", device)
    monkeypatch.setattr(taps, "run", load)
    taps.require_taps()
    taps.require_taps()
    assert commands == [["modprobe", "--quiet", "tun"]]


def test_a_kernel_without_it_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(argv: list[str]) -> str:
        raise EmulationError("modprobe: not found")

    monkeypatch.setattr(taps, "TUN", tmp_path / "tun")
    monkeypatch.setattr(taps, "run", load)
    with pytest.raises(CapabilityError) as caught:
        taps.require_taps()
    assert str(caught.value) == (
        f"datapath 'ovs-user': there is no {tmp_path}/tun, with which Open vSwitch makes its userspace bridges, and "
        "the kernel module 'tun' cannot be loaded; install it, or choose 'ovs-kernel' or 'router' in the topology file"
    )
