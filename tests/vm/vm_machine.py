"""One boot of the virtual machine: disks made for it, a deadline, and its results brought out."""

from __future__ import annotations

import os
import resource
import subprocess
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vm_root import ROOT, RootDisk

from testbed.emulation.command import missing_program
from testbed.errors import EmulationError

SENT = ("testbed", "controller", "images", "scripts", "setup.cfg", "tests/emulation", "tests/vm")
"""What of the project goes into the machine."""
MEMORY_MB, PROCESSORS = 4096, 2
RESULTS_BYTES = 256 << 20


@dataclass(frozen=True)
class Boot:
    """Where a boot leaves what."""

    folder: Path

    @property
    def console(self) -> Path:
        """All that the machine printed."""
        return self.folder / "console.txt"

    @property
    def project(self) -> Path:
        """The project as a tar, which is a disk to the machine."""
        return self.folder / "project.tar"

    @property
    def tar(self) -> Path:
        """The disk that the machine writes its results to, as a tar."""
        return self.folder / "results.tar"

    @property
    def results(self) -> Path:
        """The results, unpacked."""
        return self.folder / "results"


def boot(
    root: RootDisk, packages: Path, folder: Path, accelerator: str, deadline_s: float, log: Callable[[str], None]
) -> Boot:
    """Run the machine to its end. EmulationError where it does not end in time, or leaves no results."""
    made = Boot(folder)
    folder.mkdir(parents=True)
    pack(made.project)
    with made.tar.open("wb") as disk:
        disk.truncate(RESULTS_BYTES)
    try:
        _run(command(root, packages, made, accelerator), made, deadline_s, log)
        unpack(made)
    finally:
        made.project.unlink()
        made.tar.unlink()
    return made


def command(root: RootDisk, packages: Path, made: Boot, accelerator: str) -> list[str]:
    """qemu with these disks, no network device, and the console in a file."""
    processor = "host" if accelerator == "kvm" else "max"
    line = [
        "qemu-system-x86_64", "-accel", accelerator, "-cpu", processor, "-smp", str(PROCESSORS), "-m", str(MEMORY_MB),
        "-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{made.console}",
        "-kernel", str(root.kernel), "-initrd", str(root.initrd),
        "-append", "root=/dev/vda rw console=ttyS0 quiet panic=-1 init=/sbin/coflow-init",
    ]  # fmt: skip
    disks = [f"{root.disk},snapshot=on", f"{packages},readonly=on", f"{made.project},readonly=on", str(made.tar)]
    for disk in disks:
        line += ["-drive", f"if=virtio,format=raw,file={disk}"]
    return line


def _run(line: list[str], made: Boot, deadline_s: float, log: Callable[[str], None]) -> None:
    began, others_s = time.monotonic(), _others_s()
    try:
        machine = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise missing_program(line[0]) from None
    with machine:
        try:
            _, errors = machine.communicate(timeout=deadline_s)
        except BaseException as error:
            machine.kill()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise EmulationError(
                f"the virtual machine did not end within {deadline_s:g} s; give it more (--deadline), or see "
                f"{made.console}{_tail(made.console)}"
            ) from None
    if machine.returncode != 0:
        raise EmulationError(f"qemu ended with status {machine.returncode}: {errors.decode(errors='replace').strip()}")
    took_s = time.monotonic() - began
    share = max(_others_s() - others_s, 0.0) / took_s / (os.cpu_count() or 1)
    log(f"the virtual machine ran for {took_s:.0f} s; other programs had {share:.0%} of the processors meanwhile")


def _others_s() -> float:
    """Processor seconds since the boot of this machine, but for those of children of this process that have ended."""
    user, nice, system = (int(ticks) for ticks in Path("/proc/stat").read_text().split()[1:4])
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system) / os.sysconf("SC_CLK_TCK") - ours.ru_utime - ours.ru_stime


def pack(target: Path) -> None:
    """The project as a tar of whole sectors, without what Python compiled."""

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if entry.name.endswith("__pycache__") else entry

    with tarfile.open(target, "w") as tar:
        for name in SENT:
            tar.add(ROOT / name, name, filter=wanted)


def unpack(made: Boot) -> None:
    """The files of the results' disk; EmulationError where there are none."""
    made.results.mkdir()
    with tarfile.open(made.tar) as tar:
        for entry in tar:
            if entry.isfile() and ".." not in entry.name.split("/"):
                target = made.results / os.path.normpath(entry.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                file = tar.extractfile(entry)
                assert file is not None
                with file:
                    target.write_bytes(file.read())
    if not any(made.results.iterdir()):
        raise EmulationError(f"the virtual machine left no results; see {made.console}{_tail(made.console)}")


def _tail(console: Path) -> str:
    lines = console.read_text(errors="replace").splitlines()[-15:] if console.exists() else []
    return "".join(f"\n  {line}" for line in lines)
