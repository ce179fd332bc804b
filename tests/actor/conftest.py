"""A real actor process, and a plain client of its control socket."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.actor.endpoint import connect
from testbed.actor.protocol import VERSION

ACTOR = Path(__file__).parent.parent.parent / "testbed/actor"
PATIENCE_S = 10.0


class Client:
    """One actor: its process, and a blocking conversation with it."""

    def __init__(self, where: str, address: str) -> None:
        self.where = where
        self.address = address
        self.port = 5078
        command = [sys.executable, "-I", "-B", str(ACTOR), "--socket", where]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.reach()

    def reach(self) -> None:
        """Connect; waits until the actor listens."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.connection = connect(self.where, PATIENCE_S)
                break
            except OSError:
                assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
                assert time.monotonic() < deadline, "the actor does not listen"
        self.lines = self.connection.makefile("rb")
        self.seen: dict[str, Any] = {}

    def say(self, op: str, **more: Any) -> None:
        """Send a command."""
        self.connection.sendall(json.dumps({"op": op, **more}).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """The next message; {} at the end of the connection."""
        line = self.lines.readline()
        return json.loads(line) if line else {}

    def wait_for(self, kind: str) -> Any:
        """The body of the next message of a kind; what comes in between is kept in `seen` (lists are joined)."""
        while True:
            if kind in self.seen:
                return self.seen.pop(kind)
            message = self.hear()
            assert message, f"the actor closed the connection before any {kind!r}; seen: {self.seen}"
            for key, body in message.items():
                self.seen[key] = self.seen[key] + body if isinstance(body, list) and key in self.seen else body

    def greet(self) -> None:
        """Exchange greetings and have it listen for flows."""
        assert self.wait_for("hello") == "actor"
        self.say("hello", version=VERSION)
        self.say("listen", addresses=[self.address], port=self.port)
        assert self.wait_for("listening") == self.port

    def close(self) -> None:
        """End the conversation."""
        self.lines.close()
        self.connection.close()


@pytest.fixture
def actor(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts actors h1, h2, ... at 127.78.0.1, ...; with `greeted=False` no word has been exchanged."""
    clients: list[Client] = []

    def start(greeted: bool = True, where: str = "") -> Client:
        number = len(clients) + 1
        client = Client(where or str(tmp_path / f"h{number}.sock"), f"127.78.0.{number}")
        clients.append(client)
        if greeted:
            client.greet()
        return client

    yield start
    for client in clients:
        client.close()
        client.process.kill()
        client.process.communicate()
