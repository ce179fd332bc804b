"""The server as a process: whom it answers, and that neither a slow reader nor its own death touches the run."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from reader import PATIENCE_S, events, get
from scene import ROOT, Scene

from testbed.errors import EmulationError
from testbed.fidelity.verdict import Verdict
from testbed.watch.server import MOST_READERS
from testbed.watch.watch import Watch, watching


def token(watch: Watch) -> str:
    return urlsplit(watch.url).path.strip("/")


def port(watch: Watch) -> int:
    return urlsplit(watch.url).port or 0


@pytest.mark.parametrize(
    ("name", "kind"), [("", "text/html"), ("watch.css", "text/css"), ("watch.js", "text/javascript")]
)
def test_the_page_and_its_parts(watch: Watch, name: str, kind: str) -> None:
    status, text, headers = get(watch.url, f"/{token(watch)}/{name}")
    assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert text == (ROOT / "testbed/watch/page" / (name or "watch.html")).read_text()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/wrong/", "//", "", "/TOKEN", "/TOKENx/", "/wrong/events", "/watch.js"])
def test_who_does_not_know_the_token_is_refused(watch: Watch, path: str) -> None:
    asked = path.replace("TOKEN", token(watch)[:-1])
    status, text, headers = get(watch.url, asked or "/")
    assert (status, text) == (
        403, "watch: no token of this run in the address; open the address that `testbed run --watch` printed",
    )  # fmt: skip
    assert "Content-Security-Policy" in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:PORT"])
def test_who_did_not_mean_this_machine_is_refused(watch: Watch, host: str) -> None:
    named = host.replace("PORT", str(port(watch)))
    status, text, _ = get(watch.url, host=named)
    assert status == 403
    assert text == f"watch: Host is '{named}'; expected 127.0.0.1:{port(watch)} or localhost:{port(watch)}"


def test_localhost_is_this_machine(watch: Watch) -> None:
    assert get(watch.url, host=f"localhost:{port(watch)}")[0] == 200


@pytest.mark.parametrize("name", ["nothing", "../server.py", "..%2fserver.py", "watch.css/", "board.py"])
def test_nothing_else_is_there(watch: Watch, name: str) -> None:
    status, text, _ = get(watch.url, f"/{token(watch)}/{name}")
    known = "charts.js, drawing.js, events, network.js, watch.css, watch.html, watch.js"
    assert (status, text) == (404, f"watch: no such page; known: {known}")


def test_nothing_can_be_sent_to_it(watch: Watch) -> None:
    assert get(watch.url, method="POST")[0] == 501


def test_it_listens_on_the_loopback_address_only(watch: Watch) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    listening += [line.split()[1] for line in Path("/proc/net/tcp6").read_text().splitlines()[1:] if " 0A " in line]
    assert [where for where in listening if where.endswith(f":{port(watch):04X}")] == [f"0100007F:{port(watch):04X}"]


def test_the_token_is_in_no_list_of_processes(watch: Watch) -> None:
    """Any user may read the words a process was started with; its environment, the server has from the run."""
    assert get(watch.url)[0] == 200  # it has the token by now
    process = Path(f"/proc/{watch.process.pid}")
    words = (process / "cmdline").read_bytes().split(b"\0")
    assert b"testbed.watch.server" in words
    assert not [word for word in words if token(watch).encode() in word]
    assert token(watch).encode() not in (process / "environ").read_bytes()


def test_a_reader_is_told_all_and_the_end(scene: Scene) -> None:
    said: list[str] = []
    with watching(0, 1, said.append) as watch, events(watch.url) as told:
        run = watch.run(scene.plan, scene.gammas)
        scene.play(run, scene.end_s)
        run.say("network up <b>now</b>")
        run.ended(Verdict(()), Path("results/a"))
        watch.close()
        heard = list(told)
    kinds = [kind for kind, _ in heard]
    assert kinds[0] == "run"
    assert kinds[-1] == "bye"
    assert [document for kind, document in heard if kind == "phase"] == ["bring-up", "prepare", "replay"]
    finished = [row for kind, rows in heard if kind == "finished" for row in rows]
    assert sorted(row[0] for row in finished) == sorted(scene.plan.coflows.coflow.tolist())
    states = [document for kind, document in heard if kind == "state"]
    assert states[-1]["coflows_done"] == len(scene.plan.coflows)
    assert dict(heard)["say"] == "network up <b>now</b>"
    assert dict(heard)["end"] == {"verdict": "valid", "checks": [], "directory": "results/a", "error": ""}
    assert said == [f"live view: {watch.url}"]


def test_a_reader_that_does_not_read_holds_up_nobody(watch: Watch, scene: Scene) -> None:
    with socket.create_connection(("127.0.0.1", port(watch)), PATIENCE_S) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(f"GET /{token(watch)}/events HTTP/1.1\r\nHost: 127.0.0.1:{port(watch)}\r\n\r\n".encode())
        assert select.select([lazy], [], [], PATIENCE_S)[0]
        run = watch.run(scene.plan, scene.gammas)
        scene.play(run, scene.end_s, step_s=0.01)  # more than all buffers take
        with events(watch.url) as told:
            assert next(document for kind, document in told if kind == "state")["coflows_done"] > 0
    assert watch.trouble == ""


def test_a_server_that_stands_still_holds_up_no_run(watch: Watch, scene: Scene) -> None:
    with events(watch.url) as told:
        os.kill(watch.process.pid, signal.SIGSTOP)
        try:
            run = watch.run(scene.plan, scene.gammas)
            for _ in range(3):
                scene.play(run, scene.end_s, step_s=0.02)
        finally:
            os.kill(watch.process.pid, signal.SIGCONT)
        run.ended(Verdict(()), Path("results/a"))
        seen = []
        for kind, _ in told:
            seen.append(kind)
            if kind == "end":
                break
    assert {"run", "finished", "end"} <= set(seen)
    assert watch.trouble == ""


def test_a_server_that_dies_ends_the_view_and_not_the_run(scene: Scene) -> None:
    said: list[str] = []
    with watching(0, 1, said.append) as watch:
        run = watch.run(scene.plan, scene.gammas)
        with events(watch.url) as told:
            assert next(told)[0] == "run"
        watch.process.kill()
        watch.process.wait()
        scene.play(run, 2.0)
        run.ended(Verdict(()), Path("results/a"))
    words = "the live view ended before the runs did, which it does not touch: BrokenPipeError: [Errno 32] Broken pipe"
    assert said[1:] == [words]


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process that holds a view open until it is told otherwise, and has said where."""
    code = (
        "from testbed.watch.watch import watching\n"
        "with watching(0, 1, lambda text: print(text, flush=True)) as watch:\n"
        "    print(watch.process.pid, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent_however_that_ends(parent: subprocess.Popen[str], number: signal.Signals) -> None:
    assert parent.stdout is not None
    url, pid = parent.stdout.readline().split()[-1], int(parent.stdout.readline())
    server = os.pidfd_open(pid)
    try:
        with events(url) as told:
            parent.send_signal(number)
            assert [kind for kind, _ in told] == ["bye"]
        assert select.select([server], [], [], PATIENCE_S)[0]
    finally:
        os.close(server)


def test_it_goes_on_while_its_parent_does(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    url = parent.stdout.readline().split()[-1]
    assert get(url)[0] == 200
    assert get(url)[0] == 200


def test_a_port_that_is_taken(watch: Watch) -> None:
    with pytest.raises(EmulationError) as caught, watching(port(watch), 1, print):
        pass
    assert str(caught.value) == (
        f"--watch-port {port(watch)}: Address already in use; expected a free port of 127.0.0.1: "
        "leave the option out for any"
    )


def test_of_too_many_connections_the_last_are_closed(watch: Watch) -> None:
    held: list[socket.socket] = []
    try:
        for _ in range(MOST_READERS + 1):
            held.append(socket.create_connection(("127.0.0.1", port(watch)), PATIENCE_S))
        assert select.select(held, [], [], PATIENCE_S)[0] == held[-1:]
        assert held[-1].recv(1) == b""
    finally:
        for one in held:
            one.close()
