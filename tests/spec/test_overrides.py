"""Field paths and `--set`: any field can be replaced, and a bad override names itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.scheduling.registry import known
from testbed.spec.overrides import parse_path
from testbed.spec.reader import load_experiment

KNOWN = ", ".join(known())
EXPERIMENT = "topology: t.yml\nworkload: w.yml\nschedulers: [fair, {name: sebf, backfill: true}]\n"


@pytest.fixture
def experiment(folder: Path) -> Path:
    Path("e.yml").write_text(EXPERIMENT)
    return Path("e.yml")


def test_paths() -> None:
    assert parse_path("schedulers[2].first_limit") == ("schedulers", 2, "first_limit")
    with pytest.raises(ValueError, match=r"'a\.\.b' is not a field path; expected the form 'topology\.link\.rate' or"):
        parse_path("a..b")


def test_fields_of_every_part_can_be_replaced(experiment: Path) -> None:
    overrides = [
        "topology.link.rate=40 Mbit/s",
        "topology.k=6",
        "workload.coflows[0].flows[0].to=53",
        "workload.coflows[0].deadline=3 s",
        "schedulers[1].backfill=false",
        "seed=9",
        "enforcement=[queue, pacing]",
    ]
    spec = load_experiment(experiment, overrides).spec
    assert spec.topology.link.rate_bps == 40e6
    assert spec.topology.host_count == 54
    flow = spec.workload.coflows[0].flows[0]  # type: ignore[union-attr]
    assert (flow.dst, spec.workload.coflows[0].deadline) == (53, 3.0)  # type: ignore[union-attr]
    assert spec.schedulers[1].parameters == {"backfill": False}
    assert (spec.seed, spec.enforcement) == (9, ("queue", "pacing"))


def test_a_whole_part_can_be_replaced_by_a_file_and_then_changed(experiment: Path) -> None:
    Path("other.yml").write_text("kind: leaf-spine\nleaves: 2\nspines: 2\nhosts_per_leaf: 3\n")
    spec = load_experiment(experiment, ["topology.spines=5", "topology=other.yml", "scheduler=fifo"]).spec
    assert spec.topology.title == "leaf-spine 2x5"
    assert [scheduler.name for scheduler in spec.schedulers] == ["fifo"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("topology.link.rate=20",
         "--set topology.link.rate=20: topology.link.rate: rate needs a unit: found 20, expected the form '20 Mbit/s'"),
        ("topology.lnk.rate=20 Mbit/s",
         "--set topology.lnk.rate=20 Mbit/s: topology.lnk: unknown key 'lnk'; did you mean 'link'? "
         "known: datapath, hosts, k, kind, link, oversubscription, routing, tcp"),
        ("scheduler=sbef",
         f"--set scheduler=sbef: schedulers[0]: unknown scheduler 'sbef'; did you mean 'sebf'? known: {KNOWN}"),
        ("schedulers[5]=fair",
         "--set schedulers[5]=fair: schedulers is a list of 2; expected an index such as schedulers[0]"),
        ("schedulers.name=fair",
         "--set schedulers.name=fair: schedulers is a list of 2; expected an index such as schedulers[0]"),
        ("seed.x=1", "--set seed.x=1: seed: expected a seed (a whole number) from 0 to 9223372036854775807, "
         "found a mapping"),
        ("topology.k.x=1", "--set topology.k.x=1: topology.k is 4, which has no 'x' inside; expected a mapping there"),
        ("seed", "--set seed: expected the form --set topology.link.rate='20 Mbit/s'"),
        ("seed=", "--set seed=: expected the form --set topology.link.rate='20 Mbit/s'"),
        ("a b=1", "--set a b=1: 'a b' is not a field path; expected the form 'topology.link.rate' or "
         "'schedulers[0].sync'"),
        ("seed=[1", "--set seed=[1: not valid YAML: did not find expected ',' or ']'"),
        ("topology=other", "--set topology=other: topology: other: no such file; expected a YAML file"),
    ],
)  # fmt: skip
def test_a_bad_override_names_itself(experiment: Path, override: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        load_experiment(experiment, [override])
    assert str(error.value) == message
