"""Faults of a workload: what they become in a plan, and every mistake in them, with its whole text."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.faults import Fault
from testbed.plan import Plan, read_plan
from testbed.planning import make_plans
from testbed.spec.reader import load_experiment, load_workload

WORKLOAD = "kind: explicit\ncoflows:\n  - {id: 1, flows: [{from: 0, to: 3, size: 1 MB}]}\nfaults:\n"
TREE = "topology: {kind: fat-tree, k: 2}\nschedulers: [fair]\nworkload: w.yml\n"


def plan(folder: Path, faults: str, experiment: str = TREE, workload: str = WORKLOAD) -> Plan:
    (folder / "w.yml").write_text(workload.replace("to: 3", "to: 1") + faults)
    (folder / "x.yml").write_text(experiment)
    return next(make_plans(load_experiment(folder / "x.yml")))


def test_faults_are_planned_in_the_order_in_which_they_happen(tmp_path: Path) -> None:
    planned = plan(
        tmp_path,
        "  - {at: 5 s, link: [c0, a0], event: up}\n"
        "  - {at: 2 s, link: [a0, c0], event: down}\n"
        "  - {at: 3 s, host: 1, event: kill}\n"
        "  - {at: 2 s, switch: e1, event: crash}\n"
        "  - {at: 1500 ms, link: [h0, e0], event: slow, rate: 5 Mbit/s}\n",
    )
    assert planned.faults == (
        Fault(1.5, "slow", ("h0", "e0"), 5e6),
        Fault(2.0, "down", ("a0", "c0")),
        Fault(2.0, "crash", ("e1",)),
        Fault(3.0, "kill", ("h1",)),
        Fault(5.0, "up", ("c0", "a0")),
    )
    planned.write(tmp_path)
    assert read_plan(tmp_path).faults == planned.faults


def test_a_plan_contains_its_faults_as_a_spec_that_reads_as_the_same(tmp_path: Path) -> None:
    planned = plan(tmp_path, "  - {at: 1 s, link: [h0, e0], event: slow, rate: 5 Mbit/s}\n")
    assert planned.spec["workload"]["faults"] == [
        {"at": "1.0 s", "link": ["h0", "e0"], "event": "slow", "rate": "5000000.0 bit/s"}
    ]


NODES = "a0, a1, c0, e0, e1, h0, h1"
OF_THE_NETWORK = [
    ("{at: 1 s, link: [a0, q], event: down}", f".link: unknown node 'q'; known: {NODES}"),
    ("{at: 1 s, link: [a0, a1], event: down}", ".link: no link joins a0 and a1; a0 has links to c0, e0"),
    ("{at: 1 s, switch: h0, event: crash}", ".switch: unknown switch 'h0'; known: a0, a1, c0, e0, e1"),
    ("{at: 1 s, host: 2, event: kill}", ".host: host 2 is out of range: the topology has the hosts 0 to 1"),
    ("{at: 1 s, link: [a0, c0], event: slow, rate: 21 Mbit/s}",
     ".rate: 21 Mbit/s is above the link's own 20 Mbit/s"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), OF_THE_NETWORK)
def test_what_the_network_does_not_have(tmp_path: Path, fault: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, f"  - {fault}\n")
    assert str(caught.value) == f"{tmp_path}/w.yml:5: workload.faults[0]{words}"


ALONE = [
    ("{link: [a0, c0], event: down}", "[0].at: missing; expected an instant such as 2 s"),
    ("{at: 1, link: [a0, c0], event: down}", "[0].at: time needs a unit: found 1, expected the form '10 ms'"),
    ("{at: 1 s, event: down}", "[0]: expected one of link: [a0, c0], switch: a0 and host: 3; found none of them"),
    ("{at: 1 s, host: 1, switch: a0, event: kill}",
     "[0]: expected one of link: [a0, c0], switch: a0 and host: 3; found switch and host"),
    ("{at: 1 s, link: a0, event: down}",
     "[0].link: expected the two nodes that a link joins, such as [a0, c0], found 'a0'"),
    ("{at: 1 s, link: [a0, a0], event: down}", "[0].link: link from a0 to itself; expected two nodes"),
    ("{at: 1 s, switch: 3, event: crash}", "[0].switch: expected the name of a switch, such as a0, found 3"),
    ("{at: 1 s, switch: a0, event: down}", "[0]: unknown event of a switch 'down'; known: crash, restart"),
    ("{at: 1 s, link: [a0, c0], event: dwn}",
     "[0].event: unknown event 'dwn'; did you mean 'down'? known: crash, down, kill, pause, restart, resume, slow, up"),
    ("{at: 1 s, link: [a0, c0], event: slow}", "[0]: slow needs a rate, such as 5 Mbit/s"),
    ("{at: 1 s, link: [a0, c0], event: up, rate: 1 Mbit/s}", "[0]: rate belongs to slow"),
    ("{at: 1 s, link: [a0, c0], event: up}",
     "[0]: a0-c0 up: nothing has happened to it before; expected it after down or slow"),
    ("{at: 1 s, host: 1, event: kill}\n  - {at: 2 s, host: 1, event: resume}",
     "[1]: host 1 resume after its kill; expected it after pause"),
    ("{at: 2 s, link: [c0, a0], event: down}\n  - {at: 1 s, link: [a0, c0], event: down}",
     "[0]: c0-a0 down after its down; expected it after up or slow"),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "words"), ALONE)
def test_what_is_wrong_in_any_network(tmp_path: Path, faults: str, words: str) -> None:
    spec = tmp_path / "spec.yml"
    spec.write_text(f"{WORKLOAD}  - {faults}\n")
    with pytest.raises(SpecError) as caught:
        load_workload(spec)
    line = 6 if words.startswith("[1]") else 5
    assert str(caught.value) == f"{spec}:{line}: faults{words}"


def test_their_number_is_bounded(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yml"
    spec.write_text(WORKLOAD + "  - {at: 1 s, switch: a0, event: crash}\n" * 1001)
    with pytest.raises(SpecError) as caught:
        load_workload(spec)
    assert str(caught.value) == f"{spec}:4: faults: 1001 faults; expected at most 1000"


def test_they_need_a_coordinator_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, "  - {at: 1 s, host: 1, event: kill}\n", TREE + "control: in-band\n")
    assert str(caught.value) == (
        f"{tmp_path}/x.yml:1: control is in-band, and faults need a coordinator that no fault cuts off; "
        "expected out-of-band"
    )


def test_hosts_with_applications_do_not_fail(tmp_path: Path) -> None:
    workload = WORKLOAD.replace("faults:", "applications: {commands: [{host: 0, command: ls}]}\nfaults:")
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, "  - {at: 1 s, host: 1, event: kill}\n", TREE, workload)
    assert str(caught.value) == (
        f"{tmp_path}/x.yml:1: a host that is paused or killed would take its applications along; expected one or other"
    )
