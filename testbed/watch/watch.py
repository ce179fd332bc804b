"""The run's side of the live view: starts the server, and hands it what happens without ever waiting for it."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from testbed.coflow import Floats, Ints
from testbed.errors import EmulationError
from testbed.fidelity.verdict import Verdict
from testbed.plan import Plan
from testbed.replay.onlooker import Standing
from testbed.watch.feed import Feed, description, ending, failure

BACKLOG = 64
LAST_WORDS_S = 1.0
"""For the server to take in how the last run ended."""
END_DEADLINE_S = 5.0
_SEND_BUFFER_BYTES = 4 << 20
_SO_SNDBUFFORCE = 32


class Watch:
    """A server process, and the channel to it. Nothing here waits or raises once it is up: at worst the view ends."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket, url: str, runs: int) -> None:
        self.process = process
        self.url = url
        """Where the page is, with the token."""
        self.runs = runs
        self._channel = channel
        self._channel.setblocking(False)
        self._waiting: deque[bytes] = deque()
        """Lasting messages that the server was too slow for."""
        self._turn = threading.Lock()
        self._number = 0
        self.trouble = ""
        """Why the view has ended before the run; '' while it has not."""

    def run(self, plan: Plan, gammas: Floats) -> RunWatch:
        """The next run begins. `gammas`: per row of its coflows, seconds."""
        self._number += 1
        self.attempt(lambda: self.tell("run", description(plan, self._number, self.runs)))
        return RunWatch(self, Feed(plan, gammas))

    def tell(self, kind: str, document: Any) -> None:
        """Hand a message over, or keep it for later; a `state` is left out where the server is slow."""
        message = kind.encode() + b" " + orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        with self._turn:
            if kind != "state":
                self._waiting.append(message)
            if self._flush() and kind == "state":
                self._send(message)

    def _flush(self) -> bool:
        """Hand over what waits; whether nothing is left."""
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
        return not self._waiting

    def attempt(self, action: Callable[[], object]) -> None:
        """Do it; whatever goes wrong ends the view and not the run. Nothing is done once the view has ended."""
        if self.trouble:
            return
        try:
            action()
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Tell what still waits, within limits, and end the server."""
        self.attempt(self._tell_the_rest)
        self._channel.close()
        try:
            self.process.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _tell_the_rest(self) -> None:
        deadline = time.monotonic() + LAST_WORDS_S
        while not self._flush() and (left_s := deadline - time.monotonic()) > 0:
            select.select([], [self._channel], [], left_s)

    def _send(self, message: bytes) -> bool:
        try:
            self._channel.send(message, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        return True


class RunWatch:
    """The onlooker of one run (testbed.replay.onlooker)."""

    def __init__(self, watch: Watch, feed: Feed) -> None:
        self._watch = watch
        self._feed = feed

    @property
    def pids(self) -> list[int]:
        """The server's."""
        return [self._watch.process.pid]

    def phase(self, name: str) -> None:
        """See Onlooker."""
        self._tell("phase", name)

    def say(self, text: str) -> None:
        """A line that the terminal shows too."""
        self._tell("say", text)

    def ports(self, at_s: float, sent: Ints) -> None:
        """See Onlooker."""
        self._watch.attempt(lambda: self._feed.ports(at_s, sent))

    def standing(self, standing: Standing) -> None:
        """See Onlooker."""
        self._watch.attempt(lambda: self._tell_standing(standing))

    def ended(self, verdict: Verdict, directory: Path) -> None:
        """The run has its records."""
        self._tell("end", ending(verdict, str(directory)))

    def failed(self, error: BaseException) -> None:
        """The run has ended early."""
        self._tell("end", failure(error))

    def _tell(self, kind: str, document: Any) -> None:
        self._watch.attempt(lambda: self._watch.tell(kind, document))

    def _tell_standing(self, standing: Standing) -> None:
        finished = self._feed.finished(standing)
        if finished:
            self._watch.tell("finished", finished)
        self._watch.tell("state", self._feed.state(standing))


@contextlib.contextmanager
def watching(port: int, runs: int, say: Callable[[str], None]) -> Iterator[Watch]:
    """Serve the live view of so many runs for the block, on a loopback port (0: a free one).

    EmulationError where the port is taken.
    """
    watch = _start(port, runs)
    say(f"live view: {watch.url}")
    try:
        yield watch
    finally:
        watch.close()
        if watch.trouble:
            say(f"the live view ended before the runs did, which it does not touch: {watch.trouble}")


def _start(port: int, runs: int) -> Watch:
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        raise EmulationError(
            f"--watch-port {port}: {os.strerror(error.errno or 0)}; expected a free port of 127.0.0.1: "
            "leave the option out for any"
        ) from None
    token = secrets.token_urlsafe(24)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with listener, theirs:
        _enlarge(ours)
        process = subprocess.Popen(
            [sys.executable, "-m", "testbed.watch.server", "--listen", str(listener.fileno())],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            pass_fds=(listener.fileno(),),
            cwd=Path(__file__).parents[2],
            start_new_session=True,  # Ctrl-C is for the run, whose end the page shall still show
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/"
    ours.send(token.encode())
    return Watch(process, ours, url, runs)


def _enlarge(channel: socket.socket) -> None:
    """Room for a packet that describes a large network, and for the states of a server that waits for its turn."""
    try:
        channel.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
    except OSError:  # for root only
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
