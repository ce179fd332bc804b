"""Programs that an experiment runs in its hosts: their ends, their output, and the documented example."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from replay_rig import PORT, Actors, F, build_plan

from testbed.errors import ReplayError
from testbed.outcome import Outcome
from testbed.plan import ApplicationSetting, Program
from testbed.replay.replay import outcome_so_far, replay

ROOT = Path(__file__).parent.parent.parent


def run(actors: Actors, folder: Path, *programs: Program, deadline_s: float = 60.0, scheduler: str = "sebf") -> Outcome:
    """Replay one planned flow beside programs."""
    setting = ApplicationSetting(programs=programs, deadline_s=deadline_s)
    plan = build_plan(3, [F(1, 0, 1, 100_000)], scheduler, applications=setting)
    return replay(plan, actors(3).sockets, port=PORT, probe=False, application_folder=str(folder), logs=folder)


def test_a_program_that_ends_well_is_in_the_facts_and_its_output_in_the_logs(actors: Actors, tmp_path: Path) -> None:
    outcome = run(actors, tmp_path, Program(1, ("/bin/sh", "-c", "pwd; echo to stderr >&2")))
    assert outcome.facts["applications"] == [
        {"host": 1, "command": ["/bin/sh", "-c", "pwd; echo to stderr >&2"], "status": 0}
    ]
    assert (tmp_path / "application-0-h1.log").read_text() == f"{tmp_path}\nto stderr\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/bin/sh", "-c", "echo too bad; exit 3"), "ended with status 3; it printed (all of it: LOG):\n  too bad"),
        (("/bin/sh", "-c", "kill -9 $$"), "was ended by signal 9; it printed nothing"),
        (("/no/such/file",), "ended with status 127; it printed (all of it: LOG):\n  /no/such/file: No such file"),
    ],
)
def test_a_program_that_fails_ends_the_run_with_an_error_after_everything_else(
    command: tuple[str, ...], words: str, actors: Actors, tmp_path: Path
) -> None:
    with pytest.raises(ReplayError) as caught:
        run(actors, tmp_path, Program(2, command))
    assert str(caught.value).startswith("host h2: application '")
    assert words.replace("LOG", str(tmp_path / "application-0-h2.log")) in str(caught.value)
    outcome = outcome_so_far(caught.value)
    assert outcome is not None
    assert outcome.reason == [""]
    assert outcome.received_bytes.tolist() == [100_000]


def test_a_program_that_does_not_end_is_ended_at_the_deadline(actors: Actors, tmp_path: Path) -> None:
    command = ("/bin/sh", "-c", "echo $$; exec sleep 600")
    with pytest.raises(ReplayError, match="has not ended within 1 s") as caught:
        run(actors, tmp_path, Program(0, command), deadline_s=1.0)
    found = re.search(r"\n  (\d+)$", str(caught.value))
    assert found is not None
    assert not Path(f"/proc/{found[1]}/cwd").exists()


def test_output_without_end_is_bounded(actors: Actors, tmp_path: Path) -> None:
    run(actors, tmp_path, Program(0, (sys.executable, "-c", "print('x' * 5_000_000)")))
    log = (tmp_path / "application-0-h0.log").read_text()
    assert len(log) < 1_001_000
    assert log.endswith("[what it printed beyond 1000000 bytes is left out]\n")


def test_output_for_which_the_disk_has_no_room_ends_the_run_with_an_error(actors: Actors, tmp_path: Path) -> None:
    log = tmp_path / "application-0-h0.log"
    log.symlink_to("/dev/full")
    with pytest.raises(ReplayError) as caught:
        run(actors, tmp_path, Program(0, ("/bin/echo", "words")))
    assert str(caught.value) == (
        f"{log}: cannot be written (No space left on device); expected room and permission there"
    )
    assert outcome_so_far(caught.value) is not None


def test_the_documented_example_does_what_it_says(actors: Actors, tmp_path: Path) -> None:
    text = (ROOT / "docs/coflow-api.md").read_text()
    example = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    door = str(tmp_path / "h0.apps")
    example = example.replace("Client()", f"Client({door!r})").replace('("", 6000)', '("127.77.0.2", 6000)')
    (tmp_path / "example.py").write_text(example)
    python = ("/usr/bin/env", f"PYTHONPATH={ROOT}", sys.executable, "example.py")
    outcome = run(actors, tmp_path, Program(1, (*python, "receive")), Program(0, (*python, "send")))
    assert outcome.plan is not None
    assert outcome.plan.flows.bytes.tolist() == [100_000, 3_000_000]
    assert outcome.reason == ["", ""]
    assert (tmp_path / "application-0-h1.log").read_text() == "received 3000000 bytes\n"
