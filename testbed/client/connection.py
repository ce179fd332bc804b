"""A program's conversation with its host's actor: requests and answers, and commands to flows."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any


class CoflowError(Exception):
    """A request was refused, a flow was cut, or the run is over; the text says what and why."""


class Connection:
    """One connection to the actor, shared by all threads of a program. `close` ends every request that waits."""

    def __init__(self, where: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(where)
        except OSError as error:
            self._socket.close()
            raise CoflowError(f"{where}: {error.strerror}; the actor of an emulated host listens there") from None
        self._sending = threading.Lock()
        self._state = threading.Lock()
        self._waiting: dict[int, SimpleQueue[dict[str, Any]]] = {}
        self._commands: dict[int, Callable[[str, list[Any]], None]] = {}
        self._early: dict[int, list[tuple[str, list[Any]]]] = {}
        self._number = 0
        self._ended = ""
        self._reader = threading.Thread(target=self._read, name="coflow", daemon=True)
        self._reader.start()

    def ask(self, message: dict[str, Any], descriptor: int | None = None) -> dict[str, Any]:
        """Send a request (and a connection along with it) and wait for its answer; CoflowError where it is refused."""
        answers: SimpleQueue[dict[str, Any]] = SimpleQueue()
        with self._state:
            self._number += 1
            number = self._number
            if self._ended:
                raise CoflowError(self._ended)
            self._waiting[number] = answers
        self.tell({**message, "request": number}, descriptor)
        answer = answers.get()
        if "error" in answer:
            raise CoflowError(answer["error"])
        return answer

    def tell(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message that is not answered."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._sending:
                if descriptor is not None:
                    sent = socket.send_fds(self._socket, [line], [descriptor])
                    line = line[sent:]
                self._socket.sendall(line)
        except OSError:
            self._end("")

    def obey(self, flow: int, command: Callable[[str, list[Any]], None]) -> None:
        """Call `command(kind, values)` for each command to a flow, those that came already included."""
        with self._state:
            self._commands[flow] = command
            early = self._early.pop(flow, [])
            if self._ended:
                early.append(("end", [self._ended]))
        for kind, values in early:
            command(kind, values)

    def forget(self, flow: int) -> None:
        """A flow is over."""
        with self._state:
            self._commands.pop(flow, None)

    def close(self) -> None:
        """End the conversation."""
        self._end("this client was closed")
        self._reader.join()

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines, suppress(OSError):  # closed here or there: said below
                for line in lines:
                    self._take(json.loads(line))
        finally:
            self._end("")
            self._socket.close()

    def _take(self, message: dict[str, Any]) -> None:
        if "answer" in message:
            with self._state:
                answers = self._waiting.pop(message["answer"], None)
            if answers is not None:
                answers.put(message)
        elif "error" in message:
            self._end(message["error"])
        for kind in ("start", "cap", "cut"):
            if kind in message:
                flow, *values = message[kind]
                with self._state:
                    command = self._commands.get(flow)
                    if command is None:
                        self._early.setdefault(flow, []).append((kind, values))
                if command is not None:
                    command(kind, values)

    def _end(self, reason: str) -> None:
        with self._state:
            if self._ended:
                return
            self._ended = reason or "the actor closed the connection: the run is over, or was given up"
            waiting, self._waiting = self._waiting, {}
            commands = list(self._commands.values())
        for answers in waiting.values():
            answers.put({"error": self._ended})
        for command in commands:
            command("end", [self._ended])
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
