"""A host that takes more memory than its container may have: the kernel ends a process, the error names the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from victims import clean, victim, write_spec

from testbed.records.finding import read_runs

pytestmark = pytest.mark.network

GREEDY = """
import os
print("about to take all", flush=True)
hoard = [bytearray(os.urandom(1 << 20)) for _ in range(1024)]
print("took a gigabyte", flush=True)
"""


def test_a_program_that_takes_more_than_its_host_has(same_machine: None, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "greedy.py").write_text(GREEDY)
    spec = write_spec(tmp_path, "router")
    greedy = "{host: 1, command: python3 greedy.py}"
    settings = (
        "backends=[emulation]",
        "topology.hosts={memory: 64 MB}",
        f"workload.applications={{folder: {programs}, commands: [{greedy}]}}",
    )
    options = [word for setting in settings for word in ("--set", setting)]
    with victim(tmp_path, "run", str(spec), "--out", str(tmp_path / "results"), *options) as struck:
        status = struck.end()
    assert status == 1, struck.words
    assert "Traceback" not in struck.words
    (run,), _ = read_runs([tmp_path / "results"])
    assert struck.words.rpartition("error: ")[2].strip() == (
        f"host h1: application 'python3 greedy.py' was ended by signal 9; it printed (all of it: "
        f"{run.path}/logs/application-0-h1.log):\n  about to take all"
    )
    assert run.flows["finish_s"].notna().all()  # the flows of the plan, and the actor, were not touched
    assert clean(tmp_path)[0] == ["nothing to remove"]
