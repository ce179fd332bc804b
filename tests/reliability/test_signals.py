"""Runs that are asked to end, or that lose whoever reads them: in order, at any moment, and nothing is left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from strikes import interrupt
from victims import END_S, ROOT, clean, victim, write_spec

from testbed.records.finding import read_runs

pytestmark = pytest.mark.network


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_tear_down(same_machine: None, tmp_path: Path, number: signal.Signals) -> None:
    spec = write_spec(tmp_path, "router")
    with victim(
        tmp_path, "run", str(spec), "--out", str(tmp_path / "results"), "--set", "backends=[emulation]"
    ) as struck:
        struck.wait_for("flows active")
        struck.process.send_signal(signal.SIGINT)
        struck.wait_for("network: taking it down")
        struck.process.send_signal(number)
        assert struck.end() == 130, struck.words
    assert struck.words.rstrip().endswith("interrupted")
    assert "Traceback" not in struck.words
    (run,), _ = read_runs([tmp_path / "results"])
    assert run.facts["error"] == "KeyboardInterrupt"
    assert clean(tmp_path)[0] == ["nothing to remove"]


def test_a_terminal_that_hangs_up(same_machine: None, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "router")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "testbed", "run", str(spec), "--out", str(tmp_path / "results")],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
        preexec_fn=take_terminal,
    )  # fmt: skip
    try:
        os.close(theirs)
        seen = b""
        while b"network up in" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)
        assert process.wait(END_S) == 130
    finally:
        process.kill()
        process.wait()
        removed, _ = clean(tmp_path)
    assert removed == ["nothing to remove"]


def take_terminal() -> None:
    """Make standard input the controlling terminal of the new session, whose loss is then a SIGHUP."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup


def test_standard_error_that_nobody_reads_any_more(same_machine: None, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "router")
    process = subprocess.Popen(
        [sys.executable, "-m", "testbed", "run", str(spec), "--out", str(tmp_path / "results")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        while b"network up in" not in process.stderr.readline():
            assert process.poll() is None
        process.stderr.close()
        out = process.stdout.read()
        process.stdout.close()
        assert process.wait(END_S) in (0, 3)
    finally:
        process.kill()
        process.wait()
        removed, _ = clean(tmp_path)
    assert removed == ["nothing to remove"]
    assert b"report: " in out
    runs, left_out = read_runs([tmp_path / "results"])
    assert (len(runs), left_out) == (2, [])


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_a_signal_during_the_bring_up(tmp_path: Path, share: float) -> None:
    """At an early moment of a run; `make faults` tries many more."""
    assert interrupt(tmp_path, "router", 10 * share, signal.SIGHUP, 1).faults == []
