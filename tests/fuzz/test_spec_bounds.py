"""Specs that would take more memory, time or rights than they should: each is refused in words that say why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.errors import RecordsError, SpecError
from testbed.plan import read_plan
from testbed.planning import make_plans
from testbed.records import run_directory
from testbed.spec.reader import load_experiment, load_topology, load_workload
from testbed.topology.addressing import addresses
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting

DIGITS = "1" + "0" * 400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "w.yml").write_text("kind: explicit\ncoflows:\n  - {id: 1, flows: [{from: 0, to: 1, size: 1 MB}]}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(text: str, *settings: str) -> str:
    Path("e.yml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_experiment(Path("e.yml"), settings)
    return str(caught.value)


def experiment(topology: str = "{kind: fat-tree, k: 2}", workload: str = "w.yml", schedulers: str = "[fair]") -> str:
    return f"topology: {topology}\nworkload: {workload}\nschedulers: {schedulers}\n"


LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "e.yml:6: more than 1000000 keys and values once aliases are expanded"),
        ("topology: " + "[" * 100_000, "e.yml:1: nested deeper than 40 levels"),
        ("seed: 1\nseed: 2\n", "e.yml:2: key 'seed' is given twice; the first is on line 1"),
        (experiment("{kind: fat-tree, k: 10000}"),
         "e.yml:1: topology.k: expected an even number from 2 to 64, found 10000"),
        (experiment("{kind: big-switch, ports: 1e400}"),
         "e.yml:1: topology.ports: expected a number of ports from 2 to 65536, found inf"),
        (experiment(f"{{kind: big-switch, ports: {DIGITS}}}"),
         f"e.yml:1: topology.ports: expected a number of ports from 2 to 65536, found '1{'0' * 55}..."),
        (experiment("{kind: leaf-spine, leaves: 4096, spines: 4096, hosts_per_leaf: 1}"),
         "e.yml:1: topology: 4096 hosts and 16777216 cables between switches; expected at most 65536 of each"),
        (experiment("{kind: fat-tree, k: 2, oversubscription: .nan}"),
         "e.yml:1: topology.oversubscription: expected an oversubscription from 1 to 1000, found nan"),
        (experiment("{kind: fat-tree, k: 2, link: {rate: 1e400 Mbit/s}}"),
         "e.yml:1: topology.link.rate: rate is too large: '1e400 Mbit/s'"),
        (experiment("{kind: fat-tree, k: 2, link: {rate: nan bit/s}}"),
         "e.yml:1: topology.link.rate: not a rate: 'nan bit/s', expected the form '20 Mbit/s' (units: bit/s, bps, B/s, "
         "Kbit/s, Kbps, kbit/s, kbps, Kibit/s, KB/s, kB/s, KiB/s, Mbit/s, Mbps, Mibit/s, MB/s, MiB/s, Gbit/s, Gbps, "
         "Gibit/s, GB/s, GiB/s, Tbit/s, Tbps, Tibit/s, TB/s, TiB/s)"),
        (experiment(workload="{kind: synthetic, coflows: 1000000000}"),
         "e.yml:2: workload.coflows: expected a count from 1 to 100000, found 1000000000"),
        (experiment(workload="{kind: synthetic, load: .inf}"),
         "e.yml:2: workload.load: expected a load (0.6 is 60 % of the ports' capacity) above 0 and at most 1000, "
         "found inf"),
        (experiment(schedulers="[{name: dclas, queues: 1000000000}]"),
         "e.yml:3: schedulers[0]: scheduler dclas: parameter queues is 1000000000; expected a whole number from 1 to "
         "1000"),
        (experiment(schedulers="[{name: dclas, first_limit: 1e300 B}]"),
         "e.yml:3: schedulers[0]: parameter first_limit: expected at most 9.0072e+15, found '1e300 B'"),
        (experiment(schedulers=f"[{', '.join(f'{{name: dclas, factor: {i}}}' for i in range(2, 203))}]"),
         "e.yml:3: schedulers: 201 entries; expected at most 200"),
        (experiment() + "repeats: 1000000000\n",
         "e.yml:4: repeats: expected a number of repeats from 1 to 10000, found 1000000000"),
        (experiment() + f"vary: {{seed: {list(range(200))}, topology.link.mtu: {list(range(1000, 1200))}}}\n",
         "e.yml:4: vary: 40000 combinations; expected at most 10000"),
        (experiment(workload="{kind: application, applications: {commands: [{host: 0, command: [\"a\\0b\"]}]}}"),
         "e.yml:2: workload.applications.commands[0].command: a null character in the command; no program can be given "
         "one"),
    ],
)  # fmt: skip
def test_it_is_refused(folder: Path, text: str, message: str) -> None:
    assert refusal(text).splitlines()[0] == message


def test_a_short_file_with_very_many_flows_is_refused(folder: Path) -> None:
    hosts = list(range(1000)), dict.fromkeys(range(1000, 2000), "1 MB")
    coflows = [f"{{id: 0, shuffle: {{mappers: &m {hosts[0]}, reducers: &r {hosts[1]}}}}}"]
    coflows += [f"{{id: {i}, shuffle: {{mappers: *m, reducers: *r}}}}" for i in range(1, 6)]
    text = f"kind: explicit\ncoflows: [{', '.join(coflows)}]\n"
    Path("many.yml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_workload(Path("many.yml"))
    assert str(caught.value) == "many.yml:2: coflows: 6000000 flows; expected at most 5000000"


def test_a_generated_workload_ends_at_its_bound(folder: Path) -> None:
    Path("e.yml").write_text(experiment("{kind: big-switch, ports: 65536}",
                                        "{kind: synthetic, coflows: 100000, long_wide: 1, short_narrow: 0, "
                                        "short_wide: 0, long_narrow: 0}") + "backends: [simulation]\n")  # fmt: skip
    with pytest.raises(SpecError) as caught:
        next(make_plans(load_experiment(Path("e.yml"))))
    words = re.sub("[0-9]+ flows", "N flows", re.sub("first [0-9]+ of", "first N of", str(caught.value)))
    assert words == (
        "e.yml:2: workload: synthetic workload: the first N of 100000 coflows have N flows, expected at most 20000000 "
        "in all: bound them with max_width or coflows"
    )


def test_a_load_next_to_none_is_refused(folder: Path) -> None:
    Path("e.yml").write_text(experiment(workload="{kind: synthetic, load: 1.0e-320}"))
    with pytest.raises(SpecError) as caught:
        next(make_plans(load_experiment(Path("e.yml"))))
    assert str(caught.value) == (
        "e.yml:2: workload: synthetic workload: at a load of 9.99989e-321 the coflows arrive over inf s, expected at "
        "most 1e+09 s"
    )


def test_a_fabric_with_very_many_addresses_has_none() -> None:
    link = LinkSetting(20e6, 2.4e6, 256_000)
    with pytest.raises(SpecError) as caught:
        addresses(LeafSpine(100, 200, 60).build(link, link, 9000))
    assert str(caught.value) == (
        "1206000 addresses of hosts: addresses of the form 10.CORE.EDGE.HOST allow 1000000 in an emulated network; "
        "expected a smaller topology, or 'backends: [simulation]'"
    )


def test_wrong_references_by_the_thousand_are_told_in_bounded_time_and_words(folder: Path) -> None:
    coflows = [f"{{id: {i}, after: {i + 10**7}, flows: [{{from: 0, to: 1, size: 1 B}}]}}" for i in range(5000)]
    Path("wrong.yml").write_text("kind: explicit\ncoflows: [" + ", ".join(coflows) + "]\n")
    with pytest.raises(SpecError) as caught:
        load_workload(Path("wrong.yml"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 4980 more mistakes"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("a" + ".a" * 40 + "=1", f"--set a{'.a' * 40}=1: 'a{'.a' * 27}.... is a path of 41 steps; expected at most 40"),
        ("topology=" + "[" * 50, f"--set topology={'[' * 50}: nested deeper than 40 levels"),
    ],
)
def test_an_option_is_bounded_too(folder: Path, setting: str, message: str) -> None:
    assert refusal(experiment(), setting) == message


@pytest.mark.parametrize("name", ["a" * 300, "a\\0b", "loop/x"])
def test_names_that_no_file_can_have_are_not_found(folder: Path, name: str) -> None:
    Path("loop").symlink_to("loop")
    shown = name.replace("\\0", "\0")
    program = f'{{kind: application, applications: {{folder: "{name}", commands: [{{host: 0, command: ls}}]}}}}'
    assert refusal(experiment(workload=program) + "backends: [emulation]\n") == (
        f"e.yml:2: workload.applications.folder: {shown}: no such folder; expected the one that the commands run in"
    )
    assert refusal(experiment(workload=f'{{kind: trace, file: "{name}"}}')) == (
        f"e.yml:2: workload.file: {shown}: no such file; expected a trace file"
    )


def test_a_file_that_is_no_spec_is_not_followed(folder: Path) -> None:
    """The document of a topology file may be text; that is no further file's name."""
    Path("t.yml").write_text("/etc/hostname\n")
    assert refusal(experiment("t.yml")) == (
        "t.yml:1: expected a topology (a mapping with the key 'kind'), found '/etc/hostname'"
    )


def test_a_long_wrong_name_is_cut(folder: Path) -> None:
    name = "x" * 70_000
    assert refusal(experiment() + f'? "{name}"\n: 1\n') == (
        f"e.yml:4: {'x' * 297}...: unknown key '{'x' * 97}...'; known: backends, control, enforcement, marking, "
        "metering, repeats, schedulers, seed, topology, vary, workload"
    )


def test_no_control_character_of_a_file_reaches_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.yml").write_text(experiment() + '"\\e[2J\\u202e": 1\n')
    with pytest.raises(SystemExit) as ended:
        main(["check", "e.yml"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "unknown key '\\x1b[2J\\u202e'" in said


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/cron.d/x", "etc-cron.d-x"),
        ("/etc/passwd", "etc-passwd"),
        ("..", "unnamed"),
        ("a\nb;$(reboot)`x`\0", "a-b-reboot-x"),
        ("\N{SNOWMAN}", "unnamed"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_name_of_ours_is_one_name_in_the_results_folder(tmp_path: Path, name: str, expected: str) -> None:
    plain = run_directory.plain_name(name)
    assert plain == expected
    assert (tmp_path / plain).resolve().parent == tmp_path


@pytest.mark.parametrize("file", ["...yml", "$(touch x);`id`&.yml", "a b\n.yml"])
def test_an_experiment_of_any_name_stays_in_the_results_folder(folder: Path, file: str) -> None:
    """The name of a run is made of the file's name, what is varied and the scheduler's parameters."""
    Path(file).write_text(
        experiment(schedulers="[{name: dclas, sharing: strict}]")
        + "vary: {seed: [1], workload.unlabelled_class: [top]}\n"
    )
    for plan in make_plans(load_experiment(Path(file))):
        made = run_directory.create(folder / "results", plan, "simulation")
        assert made.path.parent == folder / "results"
        assert re.fullmatch(r"[A-Za-z0-9._=-]+", made.path.name)
    assert sorted(path.name for path in folder.iterdir()) == sorted([file, "results", "w.yml"])


def test_a_sweep_of_any_name_has_a_folder_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("...yml").write_text(experiment() + "backends: [simulation]\nvary: {seed: [1, 2]}\n")
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "...yml", "--dry-run", "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["folder"] == "results/sweeps/unnamed"


def test_a_plan_names_no_file_outside_its_folder(folder: Path) -> None:
    """A run directory from elsewhere: its table of flows is beside the plan, whatever the plan says."""
    Path("e.yml").write_text(experiment())
    plan = next(make_plans(load_experiment(Path("e.yml"))))
    document = json.loads(plan.write(folder).read_text())
    document["flows"] = {"file": "/etc/passwd", "rows": 1}
    (folder / "plan.json").write_text(json.dumps(document))
    with pytest.raises(RecordsError) as caught:
        read_plan(folder)
    missing = folder / "plan-flows.parquet"
    assert str(caught.value) == f"{missing}: the table of flows cannot be read ({missing})"


def test_the_files_of_a_spec_may_be_anywhere(folder: Path) -> None:
    """They are read, never written: a spec names its trace as the shipped ones do, '../../shared/traces/x'."""
    (folder / "deep/er").mkdir(parents=True)
    (folder / "t.yml").write_text("kind: fat-tree\nk: 2\n")
    Path("deep/er/e.yml").write_text(experiment("../../t.yml", "../../w.yml"))
    assert load_experiment(Path("deep/er/e.yml")).spec.topology == load_topology(Path("t.yml"))
