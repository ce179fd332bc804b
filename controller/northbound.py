"""The northbound interface: HTTP/1.1 with JSON bodies, over a unix socket or loopback (docs/northbound.openapi.yml).

Everyone who asks must know the token, and must have meant this machine: a web page that a browser was made to send
here by a name of its own is told so by its Host header.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from testbed.errors import EmulationError, unknown_name

LOG = logging.getLogger("controller.northbound")

LONGEST_BODY = 16 << 20
_LENGTH = re.compile("[0-9]{1,12}")

Answer = Callable[[Mapping[str, str], Any], Any]
"""Query parameters and the body, to the answer; EmulationError where the question is wrong or cannot be answered."""


class RefusalError(EmulationError):
    """A request that is answered with an error of HTTP; `status` is its number."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class Northbound:
    """Answers every connection in a thread of its own, until the process ends. `routes`: path -> method -> answer."""

    def __init__(self, listener: socket.socket, token: str, routes: Mapping[str, Mapping[str, Answer]]) -> None:
        self._listener = listener
        self._token = token.encode()
        self._routes = routes

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._accept, name="northbound", daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), name="northbound-peer", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if connection.family == socket.AF_INET:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _Peer(connection, self)
        except OSError:
            LOG.info("a peer left before its answer")

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, Any]:
        """Status and document for one request."""
        try:
            self._admit(headers)
            path, query = _asked(target)
            return HTTPStatus.OK, self._route(method, path)(query, _document(method, body))
        except RefusalError as error:
            return error.status, {"error": str(error)}
        except EmulationError as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:
            LOG.exception("northbound: %s %s failed", method, target)
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(error).__name__}: {error}"}

    def _admit(self, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if not _is_local(host):
            raise RefusalError(
                HTTPStatus.FORBIDDEN, f"northbound: Host is '{host}'; expected localhost or a loopback address"
            )
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            found = "a wrong token" if token else "no token"
            raise RefusalError(
                HTTPStatus.UNAUTHORIZED, f"northbound: {found}; expected 'Authorization: Bearer' and this run's token"
            )

    def _route(self, method: str, path: str) -> Answer:
        if path not in self._routes:
            raise RefusalError(HTTPStatus.NOT_FOUND, f"northbound: {unknown_name('path', path, self._routes)}")
        methods = self._routes[path]
        if method not in methods:
            raise RefusalError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"northbound: {method} {path}; expected {', '.join(sorted(methods))}"
            )
        return methods[method]


class _Peer(BaseHTTPRequestHandler):
    """One connection; it may ask any number of times."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer

    def __init__(self, connection: socket.socket, northbound: Northbound) -> None:
        self._northbound = northbound
        super().__init__(connection, ("", 0), None)  # type: ignore[arg-type]  # no server of http.server's own

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > LONGEST_BODY:
            status, document = (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                {"error": f"northbound: Content-Length is '{length}'; expected at most {LONGEST_BODY} bytes"},
            )
            self.close_connection = True
        else:
            body = self.rfile.read(int(length))
            headers = {name.title(): value for name, value in self.headers.items()}
            status, document = self._northbound.answer(self.command, self.path, headers, body)
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Write no line per request."""


def _asked(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request's target."""
    try:
        url = urlsplit(target)
        return url.path, dict(parse_qsl(url.query, keep_blank_values=True))
    except ValueError as error:
        raise EmulationError(f"northbound: the target is no URL ({error})") from None


def _document(method: str, body: bytes) -> Any:
    if method == "GET":
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EmulationError(f"northbound: the body is not JSON ({error})") from None


def _is_local(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
