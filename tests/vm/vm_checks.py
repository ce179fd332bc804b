"""What must be true of a run of the virtual machine: each check says what it saw, or fails with what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vm_inside import DELAY_S, LOSS, PINGS
from vm_runs import plans

from testbed.display import Display
from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.records.run_directory import Run, read_run
from testbed.runner import run_simulated

BOUNDS = (0.95, 1.25)
"""Of measured / computed completion times, in a machine that is emulated in software."""
OTHER_BOUNDS = {"dctcp": (0.6, 1.75), "edge": (0.95, 1.5), "userspace": (0.95, 1.5)}
"""Where links lose packets TCP shares them as it can; where meters do it finds its rate by losing. The
userspace switch is slow there."""
PATH_LINKS = 6
SLACK_MS = 40.0
"""What software emulation of the processor may add to a round trip across five switches."""


@dataclass(frozen=True)
class Results:
    """What came out of the machine, and the same plans simulated here."""

    seen: dict[str, Any]
    """What vm_inside.py wrote."""
    plans: dict[str, Plan]
    emulated: dict[str, Run]
    simulated: dict[str, Run]

    def ratios(self, name: str) -> dict[int, float]:
        """Measured / computed completion time of each coflow of a run."""
        both = (self.emulated[name], self.simulated[name])
        measured, computed = (run.coflows.set_index("coflow")["cct_s"] for run in both)
        return {int(coflow): float(ratio) for coflow, ratio in (measured / computed).items()}


def read_results(folder: Path) -> Results:
    """The results in a folder; EmulationError where the machine could not make them all."""
    try:
        seen = json.loads((folder / "seen.json").read_text())
    except FileNotFoundError:
        raise EmulationError(f"{folder}: the virtual machine's program broke off; see console.txt beside it") from None
    if seen["failed"]:
        words = "\n".join(f"{name}:\n{text}" for name, text in seen["failed"].items())
        raise EmulationError(f"in the virtual machine failed: {words}")
    planned, simulations = plans(), folder.parent / "simulated"
    shutil.rmtree(simulations, ignore_errors=True)
    for name, plan in planned.items():
        run_simulated(plan, simulations, Display(), name=name)
    simulated = {name: read_run(simulations / name) for name in planned}
    emulated = {name: read_run(folder / "runs" / name) for name in planned}
    return Results(seen, planned, emulated, simulated)


def runs_are_complete_on_their_datapath(results: Results) -> str:
    """Every byte of every flow arrived, over the kernel's Open vSwitch but in the last two runs."""
    for name, run in results.emulated.items():
        wanted = results.plans[name].datapath
        assert run.facts["datapath"] == wanted, f"{name}: ran on {run.facts['datapath']}, expected {wanted}"
        flows = run.flows
        assert (flows["received_bytes"] == flows["bytes"]).all(), f"{name}: {flows.to_string()}"
        assert flows["finish_s"].notna().all(), f"{name}: {flows.to_string()}"
    words = (f"{name} on {run.facts['datapath']} {run.fidelity.verdict}" for name, run in results.emulated.items())
    return f"runs complete: {', '.join(words)}"


def completion_times_are_as_computed(results: Results) -> str:
    """Coflow completion times agree with the simulator."""
    words = []
    for name in results.emulated:
        least, most = OTHER_BOUNDS.get(name, BOUNDS)
        ratios = results.ratios(name)
        shown = f"{name} {', '.join(f'{ratio:.2f}' for ratio in ratios.values())}"
        assert all(least <= ratio <= most for ratio in ratios.values()), f"{shown}; expected {least} to {most}"
        words.append(shown)
    return f"CCT measured / computed: {'; '.join(words)}"


def queues_order_coflows_as_computed(results: Results) -> str:
    """With strict priority alone the small coflow overtakes the large one, as in simulation."""
    names = ("queue", "edge", "userspace", "router")
    for name in names:
        both = (results.emulated[name], results.simulated[name])
        measured, computed = ([int(c) for c in run.coflows.sort_values("finish_s")["coflow"]] for run in both)
        assert measured == computed, f"{name}: measured {measured}, computed {computed}"
        assert measured.index(2) < measured.index(1), f"{name}: coflow 2 did not overtake 1: {measured}"
        classes = results.emulated[name].facts["queue"]["classes"]
        assert classes == "8 classes, strict", f"{name}: {classes}"
    return f"{', '.join(names)}: coflows end in the order {measured}, {classes}"


def delay_is_in_the_round_trip(results: Results) -> str:
    """The delay of six links each way is in every echo, and in TCP's own estimate."""
    least_ms = 2 * PATH_LINKS * DELAY_S * 1e3
    found = results.seen["network"]["round_trips_ms"]
    assert found, results.seen["network"]["ping"]
    assert least_ms <= min(found) <= least_ms + SLACK_MS, f"least round trip {min(found)} ms, expected {least_ms:g}"
    for name, run in results.emulated.items():
        rtt_ms, links = run.flows["rtt_s"].min() * 1e3, int(results.plans[name].flows.path_ptr[1])
        least = 2 * links * DELAY_S * 1e3
        assert rtt_ms >= least, f"{name}: TCP says {rtt_ms:.1f} ms, expected {least:g} or more"
    return f"least round trip {min(found):.1f} ms, configured {least_ms:g} ms"


def loss_is_in_the_counters(results: Results) -> str:
    """Each echo that is missing was dropped by a netem stage, and about as many are as configured."""
    network = results.seen["network"]
    lost, drops = PINGS - len(network["round_trips_ms"]), network["netem_drops"]
    share = 1 - (1 - LOSS) ** (2 * PATH_LINKS)
    assert network["netems"] == 2 * PATH_LINKS, f"{network['netems']} netem stages, expected one at each interface"
    assert drops == lost, f"netem dropped {drops} packets, and {lost} echoes are missing"
    expected = share * PINGS
    assert 0.3 * expected <= lost <= 2.2 * expected, f"{lost} of {PINGS} echoes lost, expected {expected:.0f}"
    retransmits = int(results.emulated["dctcp"].flows["retransmits"].sum())
    assert retransmits > 0, "dctcp: no retransmission although links lose"
    # A connection whose first packet is lost goes on without ECN, and DCTCP is Reno ("dctcp-reno") for it.
    assert "dctcp" in network["congestion"], network["congestion"]
    return f"{lost} of {PINGS} echoes lost, {drops} drops (expected {expected:.0f}); dctcp sent {retransmits} again"


def containers_are_limited_under_cgroup_2(results: Results) -> str:
    """Memory, processors and processes of a host are bounded by version 2 of control groups."""
    network, host = results.seen["network"], results.plans["fair"].host
    (cgroups,) = [finding["found"] for finding in results.seen["examined"] if finding["name"] == "cgroups"]
    assert cgroups == "version 2", cgroups
    assert network["limits"]["memory.max"] == str(host.memory_bytes), network["limits"]
    quota, period = network["limits"]["cpu.max"].split()
    assert int(quota) == round(host.cpus * int(period)), network["limits"]
    assert network["limits"]["pids.max"] == "256", network["limits"]
    return f"cgroups {cgroups}, limits {network['limits']}"


def nothing_is_left_behind(results: Results) -> str:
    """Interfaces, queues, containers, daemons and datapaths are after the runs what they were before."""
    _same(results.seen["before"], results.seen["after"])
    return f"nothing left of {len(results.emulated) + 1} networks: {', '.join(results.seen['after'])}"


def somebody_elses_bridge_is_left_alone(results: Results) -> str:
    """Where Open vSwitch ran before, its daemons, bridge, rows and datapath are afterwards what they were."""
    before = results.seen["shared_before"]
    assert len(before["switch daemons"]) == 2, before
    assert "br-else" in before["interfaces"], before
    _same(before, results.seen["shared_after"])
    return f"beside a network, another's bridge stays as it is: {', '.join(before['interfaces'])}"


def clean_removes_what_a_killed_run_left(results: Results) -> str:
    """After a kill -9, `testbed clean` takes all of it away, and finds nothing the second time."""
    killed = results.seen["killed"]
    assert killed["was_up"], "the network did not come up"
    assert killed["left"] != killed["before"]
    _same(killed["before"], killed["after"])
    first, second = killed["removed"]
    assert second == [], second
    kinds = {kind: sum(removal["kind"] == kind for removal in first) for kind in sorted({r["kind"] for r in first})}
    assert {"bridge", "container", "interface", "daemon", "directory"} <= set(kinds), kinds
    return f"clean removed {', '.join(f'{number} {kind}' for kind, number in kinds.items())}"


CHECKS: tuple[Callable[[Results], str], ...] = (
    runs_are_complete_on_their_datapath,
    completion_times_are_as_computed,
    queues_order_coflows_as_computed,
    delay_is_in_the_round_trip,
    loss_is_in_the_counters,
    containers_are_limited_under_cgroup_2,
    nothing_is_left_behind,
    somebody_elses_bridge_is_left_alone,
    clean_removes_what_a_killed_run_left,
)


def _same(before: dict[str, Any], after: dict[str, Any]) -> None:
    differing = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not differing, "; ".join(f"{key}: before {old}, after {new}" for key, (old, new) in differing.items())
