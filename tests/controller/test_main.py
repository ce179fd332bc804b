"""The program by hand: `python -m controller`."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_plans import fat_tree

from testbed.emulation.northbound_client import NorthboundClient
from testbed.rules.routes import make_rules

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdefghij"


@pytest.fixture
def directory() -> Iterator[Path]:
    """With a file of rules; a short path, for the sake of the unix socket."""
    made = Path(tempfile.mkdtemp(prefix="ct-", dir="/tmp"))
    (made / "rules.json").write_text(make_rules(fat_tree(2)).to_json())
    (made / "token").write_text(f"{TOKEN}\n")
    yield made
    shutil.rmtree(made)


def command(directory: Path, listen: str, northbound: str, token: str = "") -> list[str]:
    return [sys.executable, "-m", "controller", "--rules", f"{directory}/rules.json", "--listen", listen,
            "--northbound", northbound, "--token", token or f"{directory}/token"]  # fmt: skip


def refusal(directory: Path, listen: str, northbound: str, token: str = "") -> tuple[int, str]:
    """Exit status and last line of what a wrong call says."""
    done = subprocess.run(
        command(directory, listen, northbound, token), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(directory: Path, number: signal.Signals) -> None:
    path = directory / "status.sock"
    with subprocess.Popen(command(directory, "127.0.0.1:0", str(path)), cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if b"listening" in line).decode()
        found = re.search(r"listening on (127\.0\.0\.1):(\d+) for 5 switches", line)
        assert found is not None
        socket.create_connection((found[1], int(found[2])), 5.0).close()
        with contextlib.closing(NorthboundClient(path, TOKEN)) as client:
            status, document = client.request("GET", "/status", {}, None, 20.0)
            assert (status, document["ready"]) == (200, False)
        assert path.stat().st_mode & 0o777 == 0o600
        process.send_signal(number)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()  # else leaving the block waits for ever
        assert b"INFO controller: ends" in process.stderr.read()
    assert not path.exists()


@pytest.mark.parametrize(
    "where", ["0.0.0.0:6653", "192.168.0.1:6653", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000"]
)
def test_it_listens_on_loopback_only(directory: Path, where: str) -> None:
    message = (
        f"Error: Invalid value for --listen: '{where}': expected a loopback address and port, such as 127.0.0.1:6653"
    )
    assert refusal(directory, where, f"{directory}/s") == (2, message)


def test_a_port_in_use_is_an_error(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        message = f"Error: cannot listen on {where}: Address already in use; choose another port"
        assert refusal(directory, where, f"{directory}/s") == (1, message)


def test_an_existing_status_file_is_not_overwritten(directory: Path) -> None:
    path = directory / "rules.json"
    message = f"Error: cannot create {path}: Address already in use; remove it or choose another"
    assert refusal(directory, "127.0.0.1:0", str(path)) == (1, message)


def test_a_descriptor_is_a_number(directory: Path) -> None:
    message = "Error: Invalid value for --northbound: 'fd:x': expected fd:N, N being an open descriptor"
    assert refusal(directory, "127.0.0.1:0", "fd:x") == (2, message)


@pytest.mark.parametrize("where", ["0.0.0.0:80", "somewhere"])
def test_questions_are_answered_on_a_unix_socket_or_loopback_only(directory: Path, where: str) -> None:
    message = (
        f"Error: Invalid value for --northbound: '{where}': expected a loopback address and port, "
        "such as 127.0.0.1:6653"
    )
    assert refusal(directory, "127.0.0.1:0", where) == (2, message)


def test_a_token_is_read_from_a_file_and_is_not_too_short(directory: Path) -> None:
    path = directory / "short"
    path.write_text("secret\n")
    message = f"Error: the token in {path} has 6 characters; expected 16 or more"
    assert refusal(directory, "127.0.0.1:0", f"{directory}/s", str(path)) == (1, message)
    message = f"Error: cannot read the token from {TOKEN}: [Errno 2] No such file or directory: '{TOKEN}'"
    assert refusal(directory, "127.0.0.1:0", f"{directory}/s", TOKEN) == (1, message)


def test_rules_that_are_none_are_refused(directory: Path) -> None:
    (directory / "rules.json").write_text("{}")
    message = (
        f"Error: {directory}/rules.json: rules: not a rules document (KeyError: 'format'); "
        "expected what Rules.to_json writes"
    )
    assert refusal(directory, "127.0.0.1:0", f"{directory}/s") == (1, message)
