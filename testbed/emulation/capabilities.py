"""What this machine has and lacks for emulation, found by trying, and what each lack costs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed.emulation.command import PACKAGE_OF, missing_program, run
from testbed.emulation.docker_service import connect, find_daemon
from testbed.emulation.host_network import available_congestion_controls
from testbed.emulation.image import ACTOR_IMAGE, CACHE, inspect_image, this_release
from testbed.emulation.router_needs import require_edge
from testbed.errors import CapabilityError, EmulationError
from testbed.plan import Plan

DATAPATHS = ("auto", "ovs-kernel", "ovs-user", "router")
OVS_PROGRAMS = ("ovs-vsctl", "ovs-ofctl", "ovs-vswitchd", "ovsdb-server")
"""Not needed where switches are routers."""
NEEDED_PROGRAMS = ("ip", "tc", "nsenter", "mnexec", *OVS_PROGRAMS, "dockerd")
HASH_SEED = Path("/proc/sys/net/ipv4/fib_multipath_hash_seed")
_QDISCS = {"htb": "htb", "bfifo": "bfifo limit 10000", "netem": "netem"}
"""Kind -> a form of it that the kernel takes if it has the kind."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    found: str
    """What there is, in words."""
    state: str
    """'ok', 'missing' (nothing can be emulated without it) or 'limited' (something is lost)."""
    cost: str = ""
    """What its lack costs, and the remedy; '' where all is well."""

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def examine() -> list[Finding]:
    """Everything that emulation depends on, on this machine, now. Changes nothing."""
    return [
        _root(), *_programs(), _kernel(), _processors(), _memory(), _cgroups(), _kernel_datapath(), _routers(),
        *_queueing(), _congestion_controls(), _overlay(), _docker(), _image(),
    ]  # fmt: skip


def choose_datapath(wanted: str) -> str:
    """ovs-kernel, ovs-user or router for what the plan wants; CapabilityError for one that this machine lacks."""
    if wanted not in DATAPATHS:
        raise CapabilityError(f"unknown datapath '{wanted}'; expected one of {', '.join(DATAPATHS)}")
    if wanted == "router":  # what it needs, every host needs as well
        return wanted
    if wanted == "ovs-user" or (wanted == "auto" and not has_kernel_datapath()):
        return "ovs-user"
    if not has_kernel_datapath():
        raise CapabilityError(
            f"datapath 'ovs-kernel': kernel {platform.release()} has no openvswitch module; install it "
            "(linux-modules-extra on some clouds), or choose 'ovs-user' or 'auto' in the topology file"
        )
    return "ovs-kernel"


def require(plan: Plan) -> None:
    """CapabilityError for the first thing that the plan needs and this machine lacks."""
    if os.geteuid() != 0:
        raise CapabilityError(
            "emulation needs root: it makes containers, network interfaces and queueing disciplines; "
            "run it again with sudo (checking, planning and simulating need no root)"
        )
    for program in NEEDED_PROGRAMS:
        if shutil.which(program) is None and not (plan.datapath == "router" and program in OVS_PROGRAMS):
            raise missing_program(program)
    if plan.datapath == "router":
        require_edge(plan)
    slow = next((link for link in plan.fabric.links if link.delay_s > 0 or link.loss > 0), None)
    lacks = lacking_qdiscs()
    for qdisc in ("htb", "bfifo"):
        if qdisc in lacks:
            raise CapabilityError(f"kernel {platform.release()} has no queueing discipline '{qdisc}'; links need it")
    if slow is not None and "netem" in lacks:
        what = f"delay {slow.delay_s * 1e3:g} ms" if slow.delay_s else f"loss {slow.loss:g}"
        raise CapabilityError(
            f"link {slow.name}: {what} needs the queueing discipline 'netem', which kernel {platform.release()} lacks; "
            "leave delay and loss out of the topology file, or use a kernel with sch_netem"
        )


def has_kernel_datapath() -> bool:
    """Whether the kernel has Open vSwitch, loaded, built in, or as a module that could be loaded."""
    if Path("/sys/module/openvswitch").exists():
        return True
    builtin = Path(f"/lib/modules/{platform.release()}/modules.builtin")
    if builtin.exists() and "/openvswitch.ko" in builtin.read_text():
        return True
    return _succeeds("modprobe", "--dry-run", "--quiet", "openvswitch")


def has_hash_seed() -> bool:
    """Whether this kernel seeds the hash of multipath routes per network namespace (Linux 6.11 and later)."""
    return HASH_SEED.exists()


def lacking_qdiscs() -> set[str]:
    """Queueing disciplines that this kernel does not have, tried in a network namespace that ends with the trial."""
    lines = [f"qdisc replace dev lo root {form}" for form in _QDISCS.values()]
    try:
        tried = subprocess.run(
            ["unshare", "--net", "tc", "-force", "-batch", "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise missing_program("unshare") from None
    failed = {int(word.rpartition(":")[2]) for word in tried.stderr.splitlines() if word.startswith("Command failed")}
    if tried.returncode != 0 and not failed:  # without root there is no namespace to try them in
        raise EmulationError(f"queueing disciplines cannot be tried: {tried.stderr.strip()}")
    return {kind for number, kind in enumerate(_QDISCS, start=1) if number in failed}


def _root() -> Finding:
    if os.geteuid() == 0:
        return Finding("root", "yes", "ok")
    return Finding("root", "no", "missing", "emulation needs root: use sudo; simulation does not")


def _programs() -> list[Finding]:
    absent = [name for name in (*NEEDED_PROGRAMS, "mmdebstrap") if shutil.which(name) is None]
    if not absent:
        return [Finding("programs", f"all {len(NEEDED_PROGRAMS) + 1}", "ok")]
    return [
        Finding(
            f"program {name}",
            "not found",
            "missing" if name in NEEDED_PROGRAMS else "limited",
            f"install the package {PACKAGE_OF[name]} (make setup does)",
        )
        for name in absent
    ]


def _kernel() -> Finding:
    return Finding("kernel", platform.release(), "ok")


def _processors() -> Finding:
    cores = len(os.sched_getaffinity(0))
    if cores >= 2:
        return Finding("processors", str(cores), "ok")
    return Finding(
        "processors", str(cores), "limited", "switches, hosts and coordinator share one core: halve the rates"
    )


def _memory() -> Finding:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    gigabytes = int(facts["MemAvailable"].split()[0]) * 1024 / 1e9
    found = f"{gigabytes:.1f} GB available"
    if gigabytes >= 2:
        return Finding("memory", found, "ok")
    return Finding("memory", found, "limited", "a fat-tree of k=4 wants about 1 GB; smaller topologies fit")


def _cgroups() -> Finding:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return Finding("cgroups", "version 2", "ok")
    if any((root / name).is_dir() for name in ("memory", "cpu", "cpu,cpuacct")):
        return Finding("cgroups", "version 1", "ok")
    return Finding("cgroups", "none mounted", "missing", "Docker needs them: mount cgroup2 on /sys/fs/cgroup")


def _kernel_datapath() -> Finding:
    if has_kernel_datapath():
        return Finding("Open vSwitch in the kernel", "yes: datapath auto means ovs-kernel", "ok")
    return Finding(
        "Open vSwitch in the kernel",
        "no: datapath auto means ovs-user",
        "limited",
        "one thread forwards for all switches: about 1 Gbit/s times hops in all, milliseconds of latency, k <= 4",
    )


def _routers() -> Finding:
    name = "Linux routers as switches"
    if has_hash_seed():
        return Finding(name, "yes: datapath router, by name; multipath hash seeded per router", "ok")
    return Finding(
        name,
        "yes: datapath router, by name",
        "limited",
        "multipath routes hash alike in all routers before Linux 6.11: with ecmp hash paths polarise; use per-flow",
    )


def _queueing() -> list[Finding]:
    try:
        lacks = lacking_qdiscs()
    except (EmulationError, OSError) as error:
        return [Finding("queueing disciplines", "not tried", "limited", str(error))]
    costs = {
        "htb": ("missing", "links cannot be shaped"),
        "bfifo": ("missing", "links cannot have buffers of a stated size"),
        "netem": ("limited", "links can have neither delay nor loss"),
    }
    return [
        Finding(f"queueing discipline {kind}", "no", *costs[kind])
        if kind in lacks
        else Finding(f"queueing discipline {kind}", "yes", "ok")
        for kind in _QDISCS
    ]


def _congestion_controls() -> Finding:
    found = available_congestion_controls()
    words = ", ".join(sorted(found))
    if "cubic" in found:
        return Finding("TCP congestion controls", words, "ok")
    return Finding("TCP congestion controls", words, "limited", "the default, cubic, is not there: state another")


def _overlay() -> Finding:
    if "overlay" in Path("/proc/filesystems").read_text() or _succeeds("modprobe", "--dry-run", "--quiet", "overlay"):
        return Finding("overlay file system", "yes", "ok")
    return Finding("overlay file system", "no", "limited", "Docker copies the image for every host: slow, 60 MB each")


def _docker() -> Finding:
    socket = find_daemon()
    if socket is not None:
        return Finding("Docker daemon", f"answers on {socket}", "ok")
    return Finding("Docker daemon", "none runs: the testbed starts its own for a run", "ok")


def _image() -> Finding:
    socket = find_daemon()
    if socket is not None:
        with connect(socket) as client:
            if inspect_image(client, ACTOR_IMAGE) is not None:
                return Finding("actor image", f"{ACTOR_IMAGE} is in the Docker daemon", "ok")
    if (CACHE / f"actor-root-{this_release().content}.tar").exists():
        return Finding("actor image", "its root is in the cache", "ok")
    return Finding("actor image", "not made yet: the first run makes it (some seconds, from the package mirror)", "ok")


def _succeeds(*argv: str) -> bool:
    try:
        run(argv)
    except EmulationError:
        return False
    return True
