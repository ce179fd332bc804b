"""A replay that goes on while a test plays the applications: its own threads are the programs in the hosts."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from replay_rig import PORT, Cast

from testbed.client import Client, Coflow
from testbed.outcome import Outcome
from testbed.plan import ApplicationSetting, Plan, Program
from testbed.replay.replay import replay

PATIENCE_S = 20.0
START_S = 200.0
"""Before the first replay a scheduler's machine code may have to be compiled."""


def lasting(folder: Path) -> ApplicationSetting:
    """A program on h0 that lasts until `Stage.end`: so does the run."""
    os.mkfifo(folder / "end")
    return ApplicationSetting(programs=(Program(0, ("/bin/sh", "-c", f"read word < {folder}/end")),), deadline_s=60.0)


@dataclass
class Stage:
    """A run that goes on. `outcome` is there after the block, which raises what the replay has raised."""

    cast: Cast
    folder: Path
    outcome: Outcome | None = None
    error: BaseException | None = None
    received: dict[int, int] = field(default_factory=dict)
    """Bytes that the receivers have read, by port."""
    _listeners: list[socket.socket] = field(default_factory=list)

    def client(self, host: int) -> Client:
        """A program on a host."""
        return Client(str(self.cast.doors[host]))

    def receive(self, host: int) -> int:
        """A plain program that reads everything that comes to a port of a host; the port."""
        listener = socket.create_server((f"127.77.0.{host + 1}", 0))
        port: int = listener.getsockname()[1]
        self._listeners.append(listener)
        self.received[port] = 0
        self._in_thread(self._accept, listener, port)
        return port

    def send(self, coflow: Client | Coflow, host: int, size: int, port: int) -> threading.Thread:
        """Send a flow of a stated size in a thread of its own."""

        def run() -> None:
            with coflow.flow(host, size=size, port=port) as flow:
                flow.sendall(bytes(size))

        return self._in_thread(run)

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._in_thread(self._read, connection, port)

    def _read(self, connection: socket.socket, port: int) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                self.received[port] += len(data)

    def _in_thread(self, what: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """End the receivers."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@contextmanager
def on_stage(plan: Plan, cast: Cast, folder: Path) -> Iterator[Stage]:
    """Run the replay of a plan with `lasting` beside the block, and end it when the block ends."""
    stage = Stage(cast, folder)
    began = threading.Event()

    def run() -> None:
        try:
            stage.outcome = replay(
                plan, cast.sockets, port=PORT, probe=False, application_folder=str(folder), logs=folder,
                sample=lambda _: began.set(),
            )  # fmt: skip
        except BaseException as error:
            stage.error = error
        finally:
            began.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert began.wait(START_S)
        if stage.error is not None:
            raise stage.error
        yield stage
        if thread.is_alive():
            with (folder / "end").open("w") as end:
                end.write("\n")
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        if stage.error is not None:
            raise stage.error
    finally:
        stage.close()
        if thread.is_alive():  # a failed test: its actors go, and the replay with them
            for process in cast.processes:
                process.kill()
            thread.join()
