"""The parts of the virtual machine's test that need no virtual machine."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from vm_cache import cached
from vm_checks import _same
from vm_machine import SENT, Boot, command, pack, unpack
from vm_packages import closure, requirements
from vm_root import NEEDS, ROOT, RootDisk, needed_packages
from vm_runs import plans

from testbed.errors import EmulationError


def test_the_machine_has_the_packages_that_make_setup_installs() -> None:
    assert needed_packages(NEEDS.read_text()) == [
        "openvswitch-switch", "docker.io", "mininet", "mmdebstrap", "iproute2", "ethtool", "util-linux", "iptables",
        "iputils-ping",
    ]  # fmt: skip


def test_the_closure_of_the_requirements_has_what_they_need_in_turn() -> None:
    found = closure(requirements())
    assert {"numpy", "docker", "os-ken", "mininet", "requests", "llvmlite"} <= set(found)
    assert "pytest" not in found


def test_all_runs_but_the_last_two_are_on_the_kernel_datapath_and_all_have_delay() -> None:
    made = plans()
    assert [plan.datapath for plan in made.values()] == [*["ovs-kernel"] * (len(made) - 2), "ovs-user", "router"]
    assert all(link.delay_s == 0.002 for plan in made.values() for link in plan.fabric.links)
    assert made["dctcp"].tcp.congestion == "dctcp"
    assert made["dctcp"].fabric.links[0].loss == 0.002
    assert made["queue"].enforcement == ("queue",)
    assert (made["edge"].enforcement, made["edge"].marking) == (("queue", "meter"), "edge")
    assert made["pacing"].ecmp == "hash"


def test_a_recipe_is_made_once_and_an_old_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vm_cache.CACHE", tmp_path)
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "disk").write_text(str(len(made)))

    first = cached("kind", ["a", "b"], make)
    assert cached("kind", ["a", "b"], make) == first
    second = cached("kind", ["ab"], make)
    assert (second / "disk").read_text() == "2"
    assert not first.exists()


def test_one_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vm_cache.CACHE", tmp_path)

    def make(folder: Path) -> None:
        raise EmulationError("no mirror")

    with pytest.raises(EmulationError, match="no mirror"):
        cached("kind", ["a"], make)
    assert [path.name for path in tmp_path.iterdir()] == ["kind.lock"]


def test_the_machine_gets_no_network_device(tmp_path: Path) -> None:
    line = command(RootDisk(tmp_path / "r", tmp_path / "k", tmp_path / "i"), tmp_path / "p", Boot(tmp_path), "tcg")
    assert line[line.index("-nic") + 1] == "none"
    assert f"if=virtio,format=raw,file={tmp_path}/r,snapshot=on" in line, "the cached root must stay as it is"


def test_the_project_is_sent_without_compiled_files(tmp_path: Path) -> None:
    pack(tmp_path / "project.tar")
    with tarfile.open(tmp_path / "project.tar") as tar:
        names = tar.getnames()
    assert {"tests/vm/init", "testbed/__main__.py", "images/build-root.sh"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    assert all((ROOT / name).exists() for name in SENT)


def test_results_are_unpacked_and_stay_in_their_folder(tmp_path: Path) -> None:
    made = Boot(tmp_path)
    with tarfile.open(made.tar, "w") as tar:
        for name in ("./runs/a/facts.json", "../outside"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            tar.addfile(entry, io.BytesIO(b"{}"))
    with made.tar.open("ab") as disk:
        disk.truncate(1 << 20)
    unpack(made)
    assert (made.results / "runs/a/facts.json").read_text() == "{}"
    assert not (tmp_path / "outside").exists()


def test_a_machine_that_broke_off_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    made = Boot(tmp_path)
    made.tar.write_bytes(bytes(1 << 20))
    made.console.write_text("one\nKernel panic\n")
    with pytest.raises(EmulationError) as caught:
        unpack(made)
    assert str(caught.value) == (
        f"the virtual machine left no results; see {tmp_path}/console.txt\n  one\n  Kernel panic"
    )


def test_a_difference_between_before_and_after_is_named() -> None:
    with pytest.raises(AssertionError) as caught:
        _same({"interfaces": ["lo"], "runs": []}, {"interfaces": ["lo", "ovs-system"], "runs": []})
    assert str(caught.value) == "interfaces: before ['lo'], after ['lo', 'ovs-system']"
