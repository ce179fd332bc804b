"""What is stored comes back, and a file that cannot serve says why and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from made_up import made_up

from testbed.calibration import store
from testbed.calibration.model import Cost
from testbed.errors import CalibrationError


def test_what_is_stored_comes_back(folders: tuple[Path, Path]) -> None:
    assert store.stored() is None
    path = store.write(made_up())
    assert path == folders[0] / "calibration.json"
    assert store.stored() == made_up()
    assert [file.name for file in folders[0].iterdir()] == ["calibration.json"]


def test_a_machine_folder_that_cannot_be_written_gives_way_to_the_users(folders: tuple[Path, Path]) -> None:
    folders[0].write_text("a file where the folder would be")
    path = store.write(made_up())
    assert path == folders[1] / "calibration.json"
    assert store.stored() == made_up()


def test_no_folder_at_all(folders: tuple[Path, Path]) -> None:
    folders[0].write_text("")
    folders[1].parent.write_text("")
    with pytest.raises(CalibrationError) as error:
        store.write(made_up())
    assert str(error.value) == (
        f"{folders[0]}/calibration.json: cannot be written (File exists); "
        f"{folders[1]}/calibration.json: cannot be written (Not a directory)"
    )


def test_figures_of_another_machine_are_not_used(folders: tuple[Path, Path]) -> None:
    path = store.write(made_up(machine=store.Machine("5.10.0-1-amd64", "Some CPU", 64)))
    with pytest.raises(CalibrationError) as error:
        store.stored()
    assert str(error.value) == (
        f"{path}: was measured on another machine (kernel 5.10.0-1-amd64, 64 cores of Some CPU); "
        f"this one has {store.this_machine()}; run `testbed calibrate` (as root)"
    )


def test_a_named_file_may_be_of_any_machine(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.write(made_up(machine=store.Machine("5.10.0-1-amd64", "Some CPU", 64)))
    monkeypatch.setenv(store.VARIABLE, str(path))
    found = store.stored()
    assert found is not None
    assert found.machine.cores == 64
    monkeypatch.setenv(store.VARIABLE, "")
    assert store.stored() is None
    monkeypatch.setenv(store.VARIABLE, "/nowhere/c.json")
    with pytest.raises(CalibrationError) as error:
        store.stored()
    assert str(error.value) == (
        "/nowhere/c.json: cannot be read (No such file or directory); run `testbed calibrate` (as root)"
    )


DOCUMENT = made_up().document()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not readable as JSON (unexpected end of data: line 1 column 2 (char 1))"),
        (b"[]", "format None, expected 1: written by another version of the testbed"),
        (orjson.dumps({**DOCUMENT, "format": 7}), "format 7, expected 1: written by another version of the testbed"),
        (
            orjson.dumps({key: value for key, value in DOCUMENT.items() if key != "machine"}),
            "damaged (KeyError: 'machine')",
        ),
        (
            orjson.dumps({**DOCUMENT, "datapaths": {"router": {"cost": {"frame_s": -1, "byte_s": 0}, "points": []}}}),
            "damaged (ValueError: costs -1, 0 s; expected none below 0 and one above)",
        ),
    ],
)
def test_a_file_that_cannot_serve(folders: tuple[Path, Path], content: bytes, words: str) -> None:
    folders[0].mkdir()
    path = folders[0] / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(CalibrationError) as error:
        store.stored()
    assert str(error.value) == f"{path}: {words}; run `testbed calibrate` (as root)"


def test_auto_means_the_kernel_datapath_where_it_was_measured() -> None:
    both = replace(made_up(), datapaths={**made_up().datapaths, **made_up("ovs-kernel").datapaths})
    assert both.datapath_of("auto") == "ovs-kernel"
    assert made_up().datapath_of("auto") == "ovs-user"
    with pytest.raises(CalibrationError) as error:
        made_up().datapath_of("router")
    assert str(error.value) == (
        "the calibration of 2026-01-31T12:00:00+00:00 has no figures of datapath router; "
        "run `testbed calibrate --datapath router` (as root)"
    )


def test_datapaths_that_were_not_measured_again_are_kept() -> None:
    old = made_up("router")
    assert sorted(made_up().beside(old).datapaths) == ["ovs-user", "router"]
    other = replace(old, machine=store.Machine("5.10.0-1-amd64", "Some CPU", 64))
    assert sorted(made_up().beside(other).datapaths) == ["ovs-user"]
    newer = replace(old, datapaths={"router": replace(old.datapaths["router"], cost=Cost(1e-6, 0.0))})
    assert newer.beside(old).datapaths["router"].cost == Cost(1e-6, 0.0)
