"""A client of the OpenFlow application's northbound interface: HTTP over its unix socket, on one kept connection."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


class NorthboundClient:
    """For one thread at a time. The connection is made at the first request and kept."""

    def __init__(self, where: Path, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = _UnixConnection(where)

    def request(
        self, method: str, path: str, query: Mapping[str, Any], body: Any, deadline_s: float
    ) -> tuple[int, Any]:
        """HTTP status and JSON document of the answer.

        TimeoutError where it does not come within `deadline_s`, OSError or HTTPException where the other end closes.
        """
        self._connection.timeout = deadline_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(deadline_s)
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            content = None if body is None else json.dumps(body).encode()
            self._connection.request(method, target, content, self._headers)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except BaseException:
            self._connection.close()  # half an exchange is no place to go on from
            raise

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, where: Path) -> None:
        super().__init__("localhost")
        self._where = where

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._where))
