"""What actors and programs must not say: a program gets an answer, and an actor that errs is named."""

from __future__ import annotations

import array
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from application_rig import PATIENCE_S, lasting, on_stage
from replay_rig import PORT, Actors, F, build_plan

from testbed.actor.endpoint import connect
from testbed.actor.protocol import VERSION
from testbed.errors import ReplayError
from testbed.replay.replay import replay

OBJECT = "expected one JSON object per line, found "
HOSTILE: tuple[tuple[bytes, str], ...] = (
    (b'{"op": "register", "request": 1, "weight": NaN}', "'weight': expected a finite number, found nan"),
    (b'{"op": "register", "request": 1, "weight": 1e999}', "'weight': expected a finite number, found inf"),
    (b'{"op": "register", "request": 1, "x": "\\ud800"}',
     "op 'register': UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates "
     "not allo"),
    (b'{"op": "register", "request": ' + b"9" * 30 + b"}", "'request': a number of more than 64 bits"),
    (b'{"op": "register", "request": -1}',
     "request: expected a whole number from 0 to 9223372036854775807, found -1"),
    (b'{"op": "register", "request": true}',
     "request: expected a whole number from 0 to 9223372036854775807, found True"),
    (b'{"op": "route", "request": 1, "to": [[0]]}',
     "'to': expected text, a number, true, false or null, found a list"),
    (b'{"op": {}, "request": 1}', "'op': expected text, a number, true, false or null, found an object"),
    (b"[" * 30_000, OBJECT + repr("[" * 60)),
    (b'{"a":' * 9_000, OBJECT + repr('{"a":' * 12)),
    (b"1" * 5_000, OBJECT + repr("1" * 60)),
)  # fmt: skip


def test_nothing_that_a_program_says_ends_a_run(actors: Actors, tmp_path: Path) -> None:
    spoken = actors(2)
    plan = build_plan(2, [F(1, 0, 1, 100_000)], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, spoken, tmp_path) as stage, stage.client(0):
        answers = [said(spoken.doors[0], line) for line, _ in HOSTILE]
        handed = [handed_over(spoken.doors[0], kind) for kind in ("pipe", "unix", "unconnected")]
        with stage.client(0) as client, client.register() as coflow:
            stage.send(coflow, 1, 200_000, stage.receive(1)).join()
    assert answers == [{"error": words} for _, words in HOSTILE]
    assert handed == [{"error": "op 'add': expected a connected TCP socket (IPv4)"}] * 3
    assert stage.outcome is not None
    assert stage.outcome.received_bytes.tolist() == [100_000, 200_000]


def said(door: Path, line: bytes, *along: int) -> Any:
    """The answer to one line of a new program, which may hand over descriptors."""
    with socket.socket(socket.AF_UNIX) as program:
        program.settimeout(PATIENCE_S)
        program.connect(str(door))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", along))] if along else []
        program.sendmsg([line + b"\n"], rights)
        with program.makefile("rb") as answers:
            return json.loads(answers.readline())


def handed_over(door: Path, kind: str) -> Any:
    """The answer to `add` with a descriptor that is no flow's."""
    reading, writing = os.pipe()
    with socket.socket(socket.AF_INET if kind == "unconnected" else socket.AF_UNIX) as made:
        try:
            request = b'{"op": "add", "request": 1, "coflow": null, "size": 1}'
            return said(door, request, reading if kind == "pipe" else made.fileno())
        finally:
            os.close(reading)
            os.close(writing)


FLOW = '"flows": [[0, 1000, "127.0.0.1", 0, "127.0.0.1", 9]]'


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ('{"op": "ping", "ping": NaN}', "ping: expected a whole number from 0 to 9223372036854775807, found nan"),
        ('{"op": "open", "flows": [[-1, 1000, "127.0.0.1", 0, "127.0.0.1", 9]]}',
         "flow: expected a whole number from 0 to 9223372036854775807, found -1"),
        ('{"op": "open", "flows": [[0, 1000, "127.0.0.1", 0, "127.0.0.1", 0]]}',
         "port: expected a whole number from 1 to 65535, found 0"),
        ('{"op": "open", "flows": [[0, 1000, "127.0.0.1", 65536, "127.0.0.1", 9]]}',
         "own port: expected a whole number from 0 to 65535, found 65536"),
        ('{"op": "open", "flows": [[0, 1000, "localhost", 0, "127.0.0.1", 9]]}',
         "own address: expected an IPv4 address, found 'localhost'"),
        (f'{{"op": "open", {FLOW}, "congestion": ["cubic"]}}', "congestion: expected text, found a list"),
        (f'{{"op": "open", {FLOW}, "congestion": "\\ud800"}}', "congestion: expected text, found '\\ud800'"),
        ('{"op": "start", "flows": [[0, 1e300, null]]}',
         "instant: expected a whole number from 0 to 9223372036854775807, found 1e+300"),
        ('{"op": "cap", "flows": [[0, "fast"]]}', "rate: expected a number of at least 0, found 'fast'"),
        ('{"op": "cap", "flows": [[0, NaN]], "at_ns": 9000000000000000000}',
         "rate: expected a number of at least 0, found nan"),
        ('{"op": "mark", "flows": [[0, 64]]}', "DSCP: expected a whole number from 0 to 63, found 64"),
        ('{"op": "probe", "probe": 1, "bind": "127.0.0.1", "peer": "127.0.0.1", "port": 9, "count": 1000000000, '
         '"every_ns": 1}', "count: expected a whole number from 1 to 10000, found 1000000000"),
        ('{"op": "run", "job": 0, "command": ["a\\u0000b"], "folder": "", "at_ns": 0, "environment": {}}',
         "command: expected text, found 'a\\x00b'"),
        ('{"op": "run", "job": 0, "command": [], "folder": "", "at_ns": 0, "environment": {}}',
         "command: expected a program and its arguments, found no word"),
        ('{"op": "alone", "flows": [[0, 0, 0]], "limits": [1], "weights": [1], "uplink_Bps": 1, "classes": 8, '
         '"dscp": 0, "sends": 1, "receives": 0}',
         "weights: expected one above 0 for each of 2 queues, found 1"),
        ('{"op": "alone", "flows": [[5, 0, 0]], "limits": [], "weights": [], "uplink_Bps": 1, "classes": 8, '
         '"dscp": 0, "sends": 1, "receives": 0}', "flow 5: it was not opened here"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_refused_when_it_comes_and_the_actor_lives(
    actors: Actors, command: str, reason: str
) -> None:
    """Not in mid-run, when its instant comes; and the next coordinator is served."""
    cast = actors(1)
    with conversation(cast.sockets[0]) as lines:
        lines.write(f'{command}\n{{"op": "ping", "ping": 1}}\n'.encode())
        lines.flush()
        assert json.loads(lines.readline()) == {"fatal": reason}
    with conversation(cast.sockets[0]) as lines:
        lines.write(b'{"op": "ping", "ping": 1}\n')
        lines.flush()
        assert json.loads(lines.readline())["pong"] == 1
    assert cast.processes[0].poll() is None


@contextmanager
def conversation(where: Path) -> Iterator[Any]:
    """A greeted connection to an actor's control socket, as a file."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = connect(str(where), PATIENCE_S)
            break
        except OSError:
            assert time.monotonic() < deadline, "the actor does not listen"
    with connection, connection.makefile("rwb") as lines:
        lines.readline()
        lines.write(json.dumps({"op": "hello", "version": VERSION}).encode() + b"\n")
        yield lines


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"pong": 1}', "its actor sent what is not understood: {'pong': 1} (KeyError('cpu_ns'))"),
        (b'{"pong": 1, "cpu_ns": []}',
         "its actor sent what is not understood: {'pong': 1, 'cpu_ns': []} "
         "(TypeError(\"unsupported operand type(s) for /: 'list' and 'float'\"))"),
        (b'{"opened": [[-1, 5]]}',
         "its actor sent what is not understood: {'opened': [[-1, 5]]} "
         "(ValueError('opened: wrong rows, or a flow that there is not'))"),
        (b'{"finished": [[0, 0, 0, 99999999999999999999]]}',
         "its actor sent what is not understood: {'finished': [[0, 0, 0, 1e+20]]} "
         "(ValueError('finished: wrong rows, or a flow that there is not'))"),
        (b'{"exited": [[7, 0]]}',
         "its actor sent what is not understood: {'exited': [[7, 0]]} (ValueError('program 7; there are 0'))"),
        (b"[" * 5000, "its actor is gone: expected one JSON object per line, found " + repr("[" * 60)),
        (b"\xff\xfe", "its actor is gone: expected one JSON object per line, found '\N{REPLACEMENT CHARACTER}"
                      "\N{REPLACEMENT CHARACTER}'"),
    ],
)  # fmt: skip
def test_an_actor_that_says_what_it_must_not_is_named(tmp_path: Path, line: bytes, what: str) -> None:
    where = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(where))
        door.listen()

        def speak() -> None:
            connection, _ = door.accept()
            with connection, connection.makefile("rb") as commands:
                commands.readline()
                greeting = {"hello": "actor", "version": VERSION, "host": "h0", "monotonic_ns": 0}
                connection.sendall(json.dumps(greeting).encode() + b"\n" + line + b"\n")
                commands.read()

        odd = threading.Thread(target=speak)
        odd.start()
        with pytest.raises(ReplayError) as caught:
            replay(build_plan(1, [F(1, 0, 0, 1000)]), [where], port=PORT)
        odd.join()
    assert str(caught.value) == f"host h0: {what}"
