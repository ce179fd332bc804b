"""Loading whole specs: defaults, files beside files, sweeps, and specs that read back as themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.errors import SpecError
from testbed.fabric import goodput_share
from testbed.spec.coflows import FlowSpec
from testbed.spec.experiment import in_base_units
from testbed.spec.reader import load_experiment, load_topology, load_workload, spec_kind
from testbed.spec.topology import TOPOLOGY_KINDS
from testbed.spec.workload import WORKLOAD_KINDS, ExplicitSpec, SyntheticSpec, TraceSpec
from testbed.workload.synthetic import SyntheticParameters

ROOT = Path(__file__).parent.parent.parent


def test_the_defaults_of_a_topology(folder: Path) -> None:
    topology = load_topology(Path("t.yml"))
    assert topology.link.rate_bps == 20e6
    assert topology.link.capacity_Bps == 20e6 / 8 * goodput_share(9000)
    assert (topology.link.mtu, topology.link.buffer, topology.link.delay, topology.link.loss) == (9000, 256_000, 0, 0)
    assert topology.tcp.model_dump() == {
        "congestion": "cubic", "initcwnd": 2, "rto_min": "0.01 s", "ecn": False, "window": None,
    }  # fmt: skip
    assert topology.hosts.model_dump() == {"image": "coflow-actor", "memory": "128000000 B", "cpus": 1.0}
    assert (topology.oversubscription, topology.routing.ecmp, topology.datapath) == (1, "per-flow", "auto")


def test_the_topology_file_of_the_quick_start_states_the_defaults_but_for_how_ports_queue() -> None:
    stated = load_topology(ROOT / "topologies/fat-tree-k4.yml")
    bare = TOPOLOGY_KINDS["fat-tree"].model_validate({"kind": "fat-tree", "k": 4})
    assert stated.link.rate_bps == bare.link.rate_bps
    assert (stated.link.queueing, stated.link.buffer, stated.tcp.rto_min) == ("per-flow", 128_000, 0.2)
    tcp = stated.tcp.model_copy(update={"rto_min": bare.tcp.rto_min})
    assert stated.model_copy(update={"link": bare.link, "tcp": tcp}) == bare


def test_goodput_in_place_of_a_rate(folder: Path) -> None:
    Path("g.yml").write_text("kind: big-switch\nports: 3\nlink: {goodput: 128 MB/s, mtu: 1500}\n")
    link = load_topology(Path("g.yml")).link
    assert link.capacity_Bps == 128e6
    assert link.rate_bps == pytest.approx(128e6 * 8 / goodput_share(1500), rel=1e-15)


def test_delay_and_loss_are_read(folder: Path) -> None:
    Path("d.yml").write_text("kind: fat-tree\nk: 2\nlink: {delay: 0.1 ms, loss: 0.1%}\n")
    link = load_topology(Path("d.yml")).link
    assert (link.delay, link.loss) == (0.0001, 0.001)


def test_all_mistakes_of_a_load_are_shown_together(folder: Path) -> None:
    Path("e.yml").write_text(
        "topology: {kind: fat-tree, k: 3}\nworkload: {kind: trace}\nschedulers: [fair]\nseeds: 1\n"
    )
    with pytest.raises(SpecError) as error:
        load_experiment(Path("e.yml"))
    assert str(error.value).splitlines() == [
        "e.yml:1: topology.k: expected an even number, found 3; the nearest are 2 and 4",
        "e.yml:2: workload.file: missing; expected a trace file, its name relative to this file",
        "e.yml:4: seeds: unknown key 'seeds'; did you mean 'seed'? known: backends, control, enforcement, marking, "
        "metering, repeats, schedulers, seed, topology, vary, workload",
    ]


def test_many_mistakes_are_counted(folder: Path) -> None:
    flows = ", ".join("{from: 0, to: 1, size: 1}" for _ in range(30))
    Path("w.yml").write_text(f"kind: explicit\ncoflows: [{{id: 1, flows: [{flows}]}}]\n")
    with pytest.raises(SpecError) as error:
        load_workload(Path("w.yml"))
    lines = str(error.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 10 more mistakes"


def test_files_are_relative_to_the_file_that_names_them(folder: Path) -> None:
    for name in ("topologies", "workloads", "experiments", "traces"):
        Path(name).mkdir()
    Path("t.yml").rename("topologies/t.yml")
    Path("trace.txt").rename("traces/trace.txt")
    Path("workloads/w.yml").write_text("kind: trace\nfile: ../traces/trace.txt\n")
    Path("experiments/e.yml").write_text(
        "topology: ../topologies/t.yml\nworkload: ../workloads/w.yml\nschedulers: [fair]\n"
    )
    spec = load_experiment(Path("experiments/e.yml")).spec
    assert isinstance(spec.workload, TraceSpec)
    assert spec.workload.file == "traces/trace.txt"


def test_a_mistake_in_a_file_that_another_names_is_placed_in_it(folder: Path) -> None:
    Path("t.yml").write_text("kind: fat-tree\n\nk: 7\n")
    Path("e.yml").write_text("topology: t.yml\nworkload: w.yml\nschedulers: [fair]\n")
    with pytest.raises(SpecError) as error:
        load_experiment(Path("e.yml"))
    assert str(error.value) == "t.yml:3: topology.k: expected an even number, found 7; the nearest are 6 and 8"


def test_every_combination_of_what_is_varied(folder: Path) -> None:
    Path("e.yml").write_text(
        "topology: t.yml\nworkload: w.yml\nschedulers: [fair]\n"
        "vary: {topology.link.rate: [10 Mbit/s, 20 Mbit/s], scheduler: [sebf, {name: fifo}], seed: [3]}\n"
    )
    experiment = load_experiment(Path("e.yml"))
    seen = [
        (v.spec.topology.link.rate_bps, [s.name for s in v.spec.schedulers], v.spec.seed) for v in experiment.variants
    ]
    assert seen == [
        (10e6, ["sebf"], 3), (10e6, ["fifo"], 3), (20e6, ["sebf"], 3), (20e6, ["fifo"], 3),
    ]  # fmt: skip
    assert experiment.variants[1].values == {
        "topology.link.rate": "10 Mbit/s", "scheduler": {"name": "fifo"}, "seed": 3,
    }  # fmt: skip


def test_parameters_of_schedulers_become_numbers_in_base_units() -> None:
    values = ["1 MB", "10 ms", "strict", 3, 0.5, True, "1 KiB"]
    assert [in_base_units(value) for value in values] == [1_000_000, 0.01, "strict", 3, 0.5, True, 1024]


def test_labels_left_out_null_or_named() -> None:
    flow = {"from": 0, "to": 1, "size": "1 MB"}
    assert FlowSpec.model_validate(flow).model_fields_set == {"src", "dst", "size"}
    assert "label" in FlowSpec.model_validate({**flow, "label": None}).model_fields_set


def test_synthetic_keys_are_the_generators_parameters() -> None:
    workload = SyntheticSpec.model_validate({"kind": "synthetic", "max_bytes": "20 MB", "seed": 7, "load": 1})
    assert workload.parameters == SyntheticParameters(max_bytes=20_000_000, seed=7, load=1.0)
    assert SyntheticSpec.model_validate({"kind": "synthetic"}).parameters == SyntheticParameters()
    assert set(SyntheticParameters.__dataclass_fields__) <= set(SyntheticSpec.model_fields)


EXPLICIT = """
kind: explicit
coflows:
  - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 2 MB, label: null}, {from: 1, to: 2, size: 6 MB, id: x}]}
  - {id: 2, after: 1, delay: 10 ms, shuffle: {mappers: [0, 1], reducers: {2: 10 MB, 3: 20 MB}}, deadline: 3 s}
  - {id: 3, arrival: 1 s, broadcast: {from: 0, to: [4, 5, 6], size: 8 MB}, weight: 2}
  - {id: 4, flows: [{from: 0, to: 1, size: 1 B, after: x, via: 2, label: 1}]}
  - {id: 5, flows: [{from: 1, to: 0, size: 1 B, labelled: false}]}
unlabelled: {share: 0.5, seed: 3}
background: {long: [{from: 0, to: 1}], poisson: {per_second: 3, size: 1 KB, duration: 5 s}}
"""
TRACE = (
    "kind: trace\nfile: trace.txt\nselect: {first: 0, count: 1, max_bytes: 3 GB}\nscale: {size: 0.001, time: 0.01}\n"
)
BY_ID = "kind: trace\nfile: trace.txt\nselect: {ids: [1]}\nmegabyte: 1 MiB\n"
SYNTHETIC = "kind: synthetic\ncoflows: 10\nmax_width: 5\n"


@pytest.mark.parametrize("text", [EXPLICIT, TRACE, BY_ID, SYNTHETIC])
def test_a_workload_written_as_plain_data_reads_as_itself(folder: Path, text: str) -> None:
    Path("w.yml").write_text(text)
    workload = load_workload(Path("w.yml"))
    written = workload.model_dump(mode="json", by_alias=True)
    again = WORKLOAD_KINDS[workload.kind].model_validate(written)
    assert again == workload
    if isinstance(workload, ExplicitSpec):
        assert isinstance(again, ExplicitSpec)
        flows = zip(workload.coflows[0].flows, again.coflows[0].flows, strict=True)
        assert all(a.model_fields_set == b.model_fields_set for a, b in flows)


def test_the_kind_of_a_file(folder: Path) -> None:
    Path("e.yml").write_text("topology: t.yml\n")
    assert [spec_kind(Path(f"{name}.yml")) for name in "twe"] == ["topology", "workload", "experiment"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("topologies/*.yml")), ids=lambda path: path.name)
def test_the_shipped_topologies_are_valid(path: Path) -> None:
    assert load_topology(path).host_count >= 2


@pytest.mark.parametrize("path", sorted(ROOT.glob("workloads/*.yml")), ids=lambda path: path.name)
def test_the_shipped_workloads_are_valid(path: Path) -> None:
    if "file: ../../" in path.read_text() and not (ROOT / "../shared/traces").is_dir():
        pytest.skip("the public trace is not on this machine")
    assert spec_kind(path) == "workload"
    load_workload(path)
