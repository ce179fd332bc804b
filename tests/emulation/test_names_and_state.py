from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.emulation.names import make_names
from testbed.emulation.owner import (
    Owner,
    kill,
    parse_owner,
    processes_with_argument,
    start_time,
    this_process,
    with_descendants,
)
from testbed.emulation.state import create_state, read_states, unfinished_directories
from testbed.errors import EmulationError


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True))
def test_any_run_id_gives_short_names_and_a_socket_path_that_fits(run_id: str) -> None:
    names = make_names(run_id)
    assert len(names.port(999, 9999)) <= 15
    assert len(names.bridge(999)) <= 15
    assert 0 < names.group < 2**31
    assert len(str(names.control_dir(127) / "actor.sock")) <= 107
    assert names == make_names(run_id)


@pytest.mark.parametrize("run_id", ["", "../x", "a b", "-x", "x" * 65, ".hidden"])
def test_a_run_id_that_is_no_file_name_is_an_error(run_id: str) -> None:
    with pytest.raises(EmulationError) as caught:
        make_names(run_id)
    assert str(caught.value) == (
        f"run id '{run_id}': expected 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit"
    )


def test_a_state_is_read_as_it_was_written(runtime: Path) -> None:
    state = create_state(make_names("one"))
    state.interfaces, state.private_ovs = ["cabcs0p1"], True
    state.save()
    assert read_states() == [state]
    assert state.owner.is_alive()


def test_a_run_id_is_taken_once(runtime: Path) -> None:
    create_state(make_names("one"))
    with pytest.raises(EmulationError) as caught:
        create_state(make_names("one"))
    assert str(caught.value) == (
        f"run id 'one' is taken: {runtime}/runs/one exists; "
        "choose another, or remove what a dead run left with `testbed clean`"
    )
    assert sorted(path.name for path in (runtime / "runs").iterdir()) == ["one"]


def test_a_directory_without_state_of_a_dead_process_is_found(runtime: Path) -> None:
    create_state(make_names("one"))
    gone = subprocess.Popen(["true"])
    gone.wait()
    (runtime / "runs" / f".new-{gone.pid}-abc").mkdir()
    (runtime / "runs" / f".new-{os.getpid()}-abc").mkdir()
    assert unfinished_directories() == [runtime / "runs" / f".new-{gone.pid}-abc"]


def test_an_unreadable_state_names_its_file(runtime: Path) -> None:
    state = create_state(make_names("one"))
    (state.directory / "state.json").write_text("{}")
    with pytest.raises(EmulationError, match=rf"^{runtime}/runs/one/state\.json: not a run's state \('owner'\); "):
        read_states()


def test_an_owner_is_told_from_a_later_process_with_its_number() -> None:
    me = this_process()
    assert me.is_alive()
    assert parse_owner(str(me)) == me
    assert not Owner(me.pid, me.start - 1, me.boot).is_alive()
    assert not Owner(me.pid, me.start, "another boot").is_alive()
    assert parse_owner("nonsense") is None


def test_processes_are_found_by_a_path_on_their_command_line_and_by_no_longer_one(tmp_path: Path) -> None:
    def waiting(argument: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", "read x", "sh", argument], stdin=subprocess.PIPE)

    ours = [waiting(f"{tmp_path}/run"), waiting(f"--log={tmp_path}/run/log"), waiting(f"unix:{tmp_path}/run/db")]
    others = [waiting(f"{tmp_path}/runs"), waiting(f"x{tmp_path}/run"), waiting(f"{tmp_path}")]
    try:
        assert sorted(processes_with_argument(f"{tmp_path}/run")) == sorted(process.pid for process in ours)
    finally:
        for process in ours + others:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def test_kill_waits_for_the_end_and_knows_descendants() -> None:
    parent = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert with_descendants([parent.pid]) == [parent.pid, child]
    assert kill([parent.pid, child, 2**22 + 1]) == []
    assert start_time(child) is None
    parent.wait()
    parent.stdout.close()
