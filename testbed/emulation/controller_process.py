"""The OpenFlow application as a child process: started, waited for, watched, ended."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from testbed.emulation.northbound_client import NorthboundClient
from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.rules.edge import Change
from testbed.rules.route_change import RouteChange
from testbed.rules.routes import make_rules

ANSWER_DEADLINE_S = 10.0
"""For a question that is answered from memory, on a machine that is busy forwarding."""
END_DEADLINE_S = 3.0
TAIL_LINES = 15
SHOWN_ERRORS = 3
BACKLOG = 1024


class ControllerProcess:
    """Context manager: inside it the application listens for the plan's switches and gives them their rules.

    Both its sockets are opened here and handed down, so switches may connect, and questions be asked, at once. The
    child ends when its standard input closes, which the kernel does when this process ends, however it ends.
    (PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the child ends.)
    """

    def __init__(self, plan: Plan, run_dir: Path, log_file: Path, log: Callable[[str], None] = lambda _: None) -> None:
        self._plan = plan
        self._rules_file = run_dir.resolve() / "rules.json"
        self._socket_file = run_dir.resolve() / "controller.sock"
        self._log_file = log_file
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ("", 0)
        self._token = secrets.token_urlsafe(32)
        self._changes: NorthboundClient | None = None
        self._reroutes: NorthboundClient | None = None

    @property
    def address(self) -> tuple[str, int]:
        """(loopback address, TCP port) that the switches must connect to; already listening inside the context."""
        return self._address

    @property
    def pid(self) -> int:
        """Of the child process."""
        return self._running().pid

    @property
    def northbound(self) -> Path:
        """The unix socket that answers questions (docs/northbound.openapi.yml)."""
        return self._socket_file

    @property
    def token(self) -> str:
        """What one must know to ask; made for this process, known to it and to us alone."""
        return self._token

    def __enter__(self) -> ControllerProcess:
        rules = make_rules(self._plan)
        try:
            self._process = self._start(rules.to_json())
        except OSError as error:
            raise EmulationError(
                f"controller: cannot be started in {self._socket_file.parent}: {error}; expected an existing, writable "
                "directory whose path is short enough for a unix socket (90 characters)"
            ) from None
        self._log(f"controller: pid {self.pid}, 127.0.0.1:{self._address[1]}, {len(rules.switches)} switches")
        return self

    def _start(self, rules: str) -> subprocess.Popen[bytes]:
        self._rules_file.write_text(rules, encoding="utf-8")
        self._socket_file.unlink(missing_ok=True)
        with (
            socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as switches,
            socket.socket(socket.AF_UNIX) as northbound,
            self._log_file.open("ab") as log,
            _readable(self._token + "\n") as token,
        ):
            northbound.bind(str(self._socket_file))
            northbound.listen(BACKLOG)
            self._address = switches.getsockname()
            command = [
                sys.executable, "-m", "controller", "--rules", str(self._rules_file), "--until-stdin-closes",
                "--listen", f"fd:{switches.fileno()}", "--northbound", f"fd:{northbound.fileno()}",
                "--token", f"fd:{token}",
            ]  # fmt: skip
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(switches.fileno(), northbound.fileno(), token),
                cwd=_package_root(),
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the run in order
            )

    def __exit__(self, *_: object) -> None:
        process, self._process = self._running(), None
        for client in (self._changes, self._reroutes):
            if client is not None:
                client.close()
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._log(f"controller: pid {process.pid} did not end within {END_DEADLINE_S:g} s: killed")
            process.kill()
            process.wait()
        self._socket_file.unlink(missing_ok=True)

    def wait_ready(self, deadline_s: float = 20.0) -> float:
        """Wait until every switch has connected and confirmed every rule by a barrier; the seconds that it took.

        EmulationError names what is missing, or what a switch refused, with the end of the log.
        """
        started = time.monotonic()
        status = self.ask("ready", deadline_s=deadline_s)
        took_s = time.monotonic() - started
        self._raise_errors(status)
        if not status["ready"]:
            switches = status["switches"].items()
            absent = [name for name, state in switches if not state["connected"]]
            silent = [name for name, state in switches if state["connected"] and not state["installed"]]
            missing = [f"not connected: {', '.join(absent)}"] if absent else []
            missing += [f"rules not confirmed: {', '.join(silent)}"] if silent else []
            raise EmulationError(
                f"controller: {len(absent) + len(silent)} of {len(status['switches'])} switches are not ready after "
                f"{deadline_s:g} s ({'; '.join(missing)}); expected all: is ovs-vswitchd running, and does every "
                f"bridge have the controller tcp:127.0.0.1:{self._address[1]}?{self._tail()}"
            )
        self._log(f"controller: {len(status['switches'])} switches have their rules after {took_s:.2f} s")
        return took_s

    def check_alive(self) -> None:
        """EmulationError if the process died, a switch is gone, or anything reported an error; cheap enough to poll."""
        status = self.ask("status")
        self._raise_errors(status)
        gone = [name for name, state in status["switches"].items() if not state["installed"]]
        if gone:
            raise EmulationError(
                f"controller: lost {', '.join(gone)}: the connection closed or echo requests went unanswered; expected "
                f"every switch to stay: did ovs-vswitchd end, or is this machine overloaded?{self._tail()}"
            )

    def ask(self, question: str, **query: Any) -> Any:
        """GET a path of the northbound interface (docs/northbound.openapi.yml): 'status', 'ports', 'meters', ...

        EmulationError where the process has died, does not answer, or answers with an error.
        """
        deadline_s = ANSWER_DEADLINE_S + float(query.get("deadline_s", 0))
        with contextlib.closing(NorthboundClient(self._socket_file, self._token)) as client:
            return self._request(client, "GET", f"/{question}", query, None, deadline_s)

    def change(self, changes: Mapping[str, Change]) -> dict[str, float]:
        """Change meters and marks of switches in one batch each; switch -> seconds from sending to its barrier reply.

        For one thread only: it keeps its connection. EmulationError where a switch is away, does not confirm, or
        refuses a message; it says which, and what it was for.
        """
        if self._changes is None:
            self._changes = NorthboundClient(self._socket_file, self._token)
        documents = {name: change.document() for name, change in changes.items()}
        return self._confirmed(self._changes, "changes", documents, "meters or marks of the decision are not in force")

    def change_routes(self, changes: Mapping[str, RouteChange]) -> dict[str, float]:
        """Change routes of switches, as `change` does; for one thread only, which may be another one."""
        if self._reroutes is None:
            self._reroutes = NorthboundClient(self._socket_file, self._token)
        documents = {name: change.document() for name, change in changes.items()}
        return self._confirmed(self._reroutes, "routes", documents, "routes around what is broken are not in force")

    def _confirmed(
        self, client: NorthboundClient, path: str, documents: dict[str, Any], effect: str
    ) -> dict[str, float]:
        document = {"switches": documents}
        answer = self._request(client, "POST", f"/{path}", {}, document, ANSWER_DEADLINE_S)["switches"]
        refusals = [error for state in answer.values() for error in state["errors"]]
        if refusals:
            raise EmulationError(
                f"controller: {'; '.join(refusals[:SHOWN_ERRORS])}. Expected the switch to take it: "
                f"{effect}{self._tail()}"
            )
        silent = [name for name, state in answer.items() if state["install_s"] is None]
        if silent:
            away = all(not answer[name]["connected"] for name in silent)
            raise EmulationError(
                f"controller: {', '.join(silent)} {'not connected' if away else 'did not confirm a change'}; expected "
                f"a barrier reply: did ovs-vswitchd end, or is this machine overloaded?{self._tail()}"
            )
        return {name: float(state["install_s"]) for name, state in answer.items()}

    def _request(
        self, client: NorthboundClient, method: str, path: str, query: Mapping[str, Any], body: Any, deadline_s: float
    ) -> Any:
        self._check_process()
        try:
            status, document = client.request(method, path, query, body, deadline_s)
        except TimeoutError:
            raise EmulationError(
                f"controller: pid {self.pid} did not answer '{path[1:]}' within {deadline_s:g} s; "
                f"it hangs, or this machine is overloaded{self._tail()}"
            ) from None
        except (OSError, http.client.HTTPException):  # the other end closed: it is dying or dead
            self._await_end()
            self._check_process()
            raise EmulationError(
                f"controller: pid {self.pid} closed the connection without an answer to '{path[1:]}'"
            ) from None
        if status != http.HTTPStatus.OK:
            raise EmulationError(f"controller: '{path[1:]}': {document['error']}")
        return document

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmulationError("controller: not started; use it as a context manager")
        return self._process

    def _await_end(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running().wait(END_DEADLINE_S)

    def _check_process(self) -> None:
        process = self._running()
        status = process.poll()
        if status is not None:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise EmulationError(
                f"controller: pid {process.pid} {how}; expected it to live as long as the network: "
                f"the switches keep their rules but nobody watches them, run again{self._tail()}"
            )

    def _raise_errors(self, status: dict[str, Any]) -> None:
        count = status["error_count"]
        if count:
            texts = [error["text"] for error in status["errors"][:SHOWN_ERRORS]]
            texts += ["..."] if count > SHOWN_ERRORS else []
            raise EmulationError(
                f"controller: {count} error{'s' if count > 1 else ''}: {'; '.join(texts)}. "
                f"Expected none: a switch may lack rules of the plan{self._tail()}"
            )

    def _tail(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        except FileNotFoundError:
            lines = []
        return "".join(f"\n  {line}" for line in [f"the end of {self._log_file}:", *lines])


@contextlib.contextmanager
def _readable(text: str) -> Iterator[int]:
    """A descriptor from which a child can read a short text: on no command line and in no file."""
    reading, writing = os.pipe()
    try:
        os.write(writing, text.encode())
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _package_root() -> Path:
    """Where `python -m controller` finds the same `controller` and `testbed` as this process."""
    found = importlib.util.find_spec("controller")
    if found is None or found.origin is None:
        raise EmulationError("controller: the package 'controller' is not importable; run from the project's checkout")
    return Path(found.origin).parent.parent
