"""The one seam for control traffic: a unix socket's path, or ADDRESS:PORT for TCP."""

from __future__ import annotations

import os
import socket

_BACKLOG = 4


def listen(where: str) -> socket.socket:
    """A listener, not blocking. A unix socket that an earlier actor left at the path is replaced."""
    if is_path(where):
        if os.path.exists(where):
            os.unlink(where)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(where)
    else:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(_address(where))
    listener.listen(_BACKLOG)
    return listener


def connect(where: str, timeout_s: float) -> socket.socket:
    """A connection to a listener; OSError where there is none or it does not answer in time."""
    family = socket.AF_UNIX if is_path(where) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        if family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(where if is_path(where) else _address(where))
    except OSError:
        connection.close()
        raise
    return connection


def remove(where: str) -> None:
    """Take a unix socket's path away; an address needs nothing."""
    if is_path(where):
        os.unlink(where)


def is_path(where: str) -> bool:
    """Whether it is a unix socket's path: it has a slash."""
    return "/" in where


def _address(where: str) -> tuple[str, int]:
    address, _, port = where.rpartition(":")
    return address, int(port)
