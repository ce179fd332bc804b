"""A reader of the live view that is no browser."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 60


def get(url: str, path: str | None = None, host: str | None = None, method: str = "GET") -> tuple[int, str, Any]:
    """Status, body and headers of an answer; `path` in place of the address's own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=PATIENCE_S)
    with closing(connection):
        connection.request(method, parts.path if path is None else path, headers={"Host": host or parts.netloc})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


@contextmanager
def events(url: str) -> Iterator[Iterator[tuple[str, Any]]]:
    """The stream of events as (kind, document), until the server ends it."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("GET", f"{parts.path}events", headers={"Host": parts.netloc})
        with connection.getresponse() as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            yield _parsed(answer)


def _parsed(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in answer:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
