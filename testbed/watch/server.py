"""The server of the live view, a process of its own: messages come from the run over its standard input, a socket.

It ends when that socket closes, which the kernel does when the run's process ends, however it ends. It takes only
processor time that nobody else wants, and keeps off the forwarding thread's processor (testbed.emulation.affinity).
Only who knows the token gets an answer, and only under a name of this machine: a web page that a browser was made to
send here by a name of its own is told so by its Host header.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import os
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from testbed.watch.board import Board, Place

LONGEST_MESSAGE = 4 << 20
MOST_READERS = 32
"""Connections served at a time; further ones are closed."""
PATIENCE_S = 10.0
"""For a peer that reads or writes nothing."""
HEARTBEAT_S = 5.0
LAST_WORDS_S = 2.0
"""For readers to be told the end."""
PAGE = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server:
    """Serves the page and the board to whoever knows the token."""

    def __init__(self, listener: socket.socket, token: str, board: Board) -> None:
        self.board = board
        self._listener = listener
        self._token = token.encode()
        port = listener.getsockname()[1]
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._readers: set[threading.Thread] = set()
        self.files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in _KINDS}

    def start(self) -> None:
        """Begin to answer, each connection in a thread of its own."""
        threading.Thread(target=self._accept, name="watch", daemon=True).start()

    def say_goodbye(self) -> None:
        """Wait until readers have been told the end, within limits."""
        deadline = time.monotonic() + LAST_WORDS_S
        for reader in list(self._readers):
            reader.join(max(deadline - time.monotonic(), 0.0))

    def refusal(self, host: str, path: str) -> str:
        """Why a request is not admitted; '' where it is. `path` begins with /TOKEN/."""
        if host not in self._hosts:
            return f"watch: Host is '{host}'; expected {' or '.join(self._hosts)}"
        if not hmac.compare_digest(path.split("/")[1].encode() if path.startswith("/") else b"", self._token):
            return "watch: no token of this run in the address; open the address that `testbed run --watch` printed"
        return ""

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._readers = {reader for reader in self._readers if reader.is_alive()}
            if len(self._readers) >= MOST_READERS:
                connection.close()
                continue
            reader = threading.Thread(target=self._serve, args=(connection,), name="watch-reader", daemon=True)
            self._readers.add(reader)
            reader.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # a reader that leaves is no error
            connection.settimeout(PATIENCE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Reader(connection, self)


class _Reader(BaseHTTPRequestHandler):
    """One connection: page files, or the stream of events."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self._server = server
        super().__init__(connection, ("", 0), None)  # type: ignore[arg-type]  # no server of http.server's own

    def do_GET(self) -> None:
        refusal = self._server.refusal(self.headers.get("Host", ""), self.path)
        if refusal:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", refusal.encode())
            return
        name = self.path.split("?")[0].split("/", 2)[2:]
        if name == ["events"]:
            self._events()
        elif name and (name[0] or "watch.html") in self._server.files:
            file = name[0] or "watch.html"
            self._answer(HTTPStatus.OK, _KINDS[Path(file).suffix], self._server.files[file])
        else:
            known = ", ".join(sorted(["events", *self._server.files]))
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", f"watch: no such page; known: {known}".encode())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _events(self) -> None:
        """Server-sent events, until the run's command or the reader ends."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()  # the reader shall know at once that it is heard
        place, board = Place(), self._server.board
        while True:
            ended = board.ended
            messages, place = board.read(place, HEARTBEAT_S)
            text = "".join(f"event: {kind}\ndata: {data}\n\n" for kind, data in messages) or ": still here\n\n"
            self.wfile.write(text.encode())
            if ended:
                self.wfile.write(b"event: bye\ndata: {}\n\n")
            self.wfile.flush()
            if ended:
                return

    def end_headers(self) -> None:
        """Every answer has the security headers, errors too."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Of the Server header."""
        return "testbed"

    def log_message(self, format: str, *args: Any) -> None:
        """Write no line per request."""


def messages(channel: socket.socket) -> Iterator[str]:
    """What comes over a channel of packets, until its other end closes."""
    buffer = bytearray(LONGEST_MESSAGE)
    while count := channel.recv_into(buffer):
        yield buffer[:count].decode()


def _yield_to_others() -> None:
    """Before any thread starts: threads inherit it."""
    with contextlib.suppress(OSError):  # not everywhere allowed, and no reason to fail
        processors = os.sched_getaffinity(0)
        if len(processors) > 1:
            os.sched_setaffinity(0, processors - {max(processors)})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    """Serve until the standard input closes. Its first packet is the token, each further one 'KIND JSON'."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--listen", type=int, required=True, help="Descriptor of a listening socket.")
    arguments = parser.parse_args()
    _yield_to_others()
    board = Board()
    with socket.socket(fileno=arguments.listen) as listener, socket.socket(fileno=os.dup(0)) as channel:
        packets = messages(channel)
        token = next(packets, "")
        if not token:  # the run has ended already
            return
        server = Server(listener, token, board)
        server.start()
        for packet in packets:
            kind, _, text = packet.partition(" ")
            board.take(kind, text)
        board.end()
        server.say_goodbye()
        os._exit(0)  # without waiting for a reader that does not read


if __name__ == "__main__":
    main()
