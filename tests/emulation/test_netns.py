"""What is done inside another network namespace."""

from __future__ import annotations

import os
import socket
import sys
from subprocess import PIPE, Popen

import pytest

from testbed.actor import endpoint
from testbed.emulation.command import run
from testbed.emulation.netns import inside
from testbed.errors import EmulationError

pytestmark = pytest.mark.network

SERVE = """
import socket
door = socket.create_server(("127.0.0.1", 5001))
print("ready", flush=True)
connection, _ = door.accept()
connection.sendall(connection.recv(100).upper())
connection.recv(1)
"""


def test_a_connection_stays_in_the_namespace_and_nothing_else_moves(namespace: int) -> None:
    run(["ip", "link", "set", "lo", "up"], netns_of=namespace)
    mine = os.readlink("/proc/self/ns/net")
    command = ["nsenter", "--target", str(namespace), "--net", sys.executable, "-c", SERVE]
    with Popen(command, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        connection = inside(namespace, lambda: endpoint.connect("127.0.0.1:5001", 5.0))
        with pytest.raises(ConnectionRefusedError):
            inside(namespace, lambda: endpoint.connect("127.0.0.1:5002", 5.0))
        with connection:
            connection.sendall(b"from outside")
            assert connection.recv(100) == b"FROM OUTSIDE"
    assert os.readlink("/proc/thread-self/ns/net") == os.readlink("/proc/self/ns/net") == mine
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 5001), timeout=5)


def test_a_namespace_that_is_gone() -> None:
    with pytest.raises(EmulationError) as caught:
        inside(2**22 - 1, lambda: None)
    assert str(caught.value) == (
        "network namespace of process 4194303: [Errno 2] No such file or directory: '/proc/4194303/ns/net'; "
        "has its container ended?"
    )
