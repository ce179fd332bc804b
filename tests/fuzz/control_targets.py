"""Both ends of the control protocol, what programs say to an actor, and the northbound interface."""

from __future__ import annotations

import array
import json
import logging
import os
import re
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
from mangling import ODD, as_line, mangled, spoiled
from replay_rig import PORT, F, build_plan

from controller.answers import make_routes
from controller.app import RulesApp
from controller.ledger import ErrorReport, Ledger
from controller.northbound import Northbound
from controller.requests import Requests
from testbed.actor.applications import Applications
from testbed.actor.channel import Channel
from testbed.actor.loop import Loop
from testbed.actor.outbox import Outbox
from testbed.actor.outgoing import Sender
from testbed.actor.program import Actor
from testbed.actor.protocol import VERSION
from testbed.errors import ReplayError
from testbed.replay.coordinator import Coordinator
from testbed.rules.flow_key import FlowKey
from testbed.rules.routes import make_rules
from testbed.scheduling.registry import make

HERE = "127.0.0.1"
MOST_AT_ONCE = 100_000
"""Bytes that a socket takes while nobody reads."""
NOW = time.monotonic_ns()
COMMANDS: tuple[dict[str, Any], ...] = (
    {"op": "listen", "addresses": [HERE], "port": 0},
    {"op": "open", "flows": [[0, 1000, HERE, 0, HERE, 9], [1, 2000, HERE, 40_000, HERE, 9]], "congestion": ""},
    {"op": "start", "flows": [[0, NOW, 5e6], [1, NOW, None, 8]]},
    {"op": "alone", "flows": [[0, NOW, 0], [1, NOW, -1]], "limits": [1e6, 1e7], "weights": [3, 2, 1], "uplink_Bps": 1e6,
     "classes": 8, "dscp": 0, "sends": 2, "receives": 0},
    {"op": "cap", "flows": [[0, 1e6], [1, None]], "at_ns": NOW},
    {"op": "mark", "flows": [[0, 8], [1, 56]], "at_ns": 0},
    {"op": "cut", "flows": [0, 1]},
    {"op": "progress", "every_ns": 10_000_000},
    {"op": "probe", "probe": 1, "bind": HERE, "peer": HERE, "port": 9, "count": 3, "every_ns": 1000},
    {"op": "reply", "application": 1, "message": {"answer": 1, "flow": 3}},
    {"op": "run", "job": 0, "command": ["/nowhere/program", "x"], "folder": "", "at_ns": NOW,
     "environment": {"A": "b"}},
    {"op": "ping", "ping": 17},
    {"op": "lateness"},
    {"op": "stop"},
)  # fmt: skip
REPORTS: tuple[dict[str, Any], ...] = (
    {"hello": "actor", "version": VERSION, "host": "h0", "monotonic_ns": NOW},
    {"listening": PORT},
    {"opened": [[0, 40_000], [1, 40_001]]},
    {"accepted": [1]},
    {"started": [[0, NOW], [1, NOW]], "progress": [0, 500, 1, 700]},
    {"progress": [flow for pair in enumerate(range(100, 112)) for flow in (pair[0] % 3, pair[1])]},
    {"finished": [[1, NOW, NOW, 2000]]},
    {"ended": [[1, NOW, NOW, 2000]]},
    {"done": [[0, 1000, False, 0, 100, 90, 10**6, 1000, 0, 0, 0]]},
    {"lateness": [0, 3, 12, 1]},
    {"errors": [[0, "connect: refused"], [-1, "no flow header"]]},
    {"probed": [0, [10_000, 20_000]]},
    {"pong": 17, "cpu_ns": 1000},
    {"stopped": {"outgoing": [[0, NOW, 100]], "incoming": [[1, NOW, 100]]}},
    {"fatal": "busy"},
    {"output": [[0, "hello\n"]], "exited": [[0, 0]]},
    {"applications": [[1, {"op": "hello", "request": 1}], [1, {"op": "gone"}]]},
    {"applications": [[1, {"op": "over", "flow": 3, "first_ns": 0, "last_ns": NOW, "sent": 1, "delivered": 1,
                           "reason": "", "tcp": [0, 0, 0, 0, 0, 0, 0]}]]},
)  # fmt: skip
REQUESTS: tuple[dict[str, Any], ...] = (
    {"op": "hello", "request": 1},
    {"op": "register", "request": 2, "weight": 1.0, "deadline": 3.0, "width": 2},
    {"op": "join", "request": 3, "coflow": 3},
    {"op": "unregister", "request": 4, "coflow": 3},
    {"op": "route", "request": 5, "to": 1, "coflow": 3, "size": 1000},
    {"op": "add", "request": 6, "coflow": 3, "size": None},
    {"op": "finish", "request": 7, "flow": 3, "abandon": "why"},
    {"op": "wrote", "flow": 3, "at_ns": NOW},
)
FLOWS = (F(1, 0, 1, 1000), F(1, 1, 0, 2000), F(2, 0, 2, 500))
_ADDRESS = re.compile(rb"\d+\.\d+\.\d+\.\d+")


class ActorTarget:
    """What an actor does with what its coordinator says: it obeys, or says `fatal` and ends the connection."""

    def __init__(self, folder: Path) -> None:
        self._where = str(folder / "actor")

    def feed(self, random: Random) -> bool:
        """A greeting and some commands, a few rounds of the actor's loop, and the end of the connection."""
        greeting = {"op": "hello", "version": VERSION}
        lines = [as_line(greeting if random.randrange(20) else mangled(greeting, random), random)]
        opened = (COMMANDS[1],) if random.randrange(2) else ()
        lines += [as_line(mangled(each, random), random) for each in (*opened, *random.sample(COMMANDS, 2))]
        if any(not found.startswith(b"127.") for line in lines for found in _ADDRESS.findall(line)):
            return False  # nothing is sent to another machine
        actor = Actor(self._where)
        loop = actor._loop
        with socket.socket(socket.AF_UNIX) as coordinator:
            coordinator.connect(self._where)
            coordinator.sendall(b"".join(lines)[:MOST_AT_ONCE])
            goes = [*[_nothing] * 6, lambda: coordinator.shutdown(socket.SHUT_WR), *[_nothing] * 3, loop.stop]
            loop.call_at(0, lambda: _one_by_one(loop, goes))
            try:
                actor.run()
            except BaseException:
                actor._forget_all()
                actor._door.close()
                raise
            finally:
                loop.close()
            said = _everything(coordinator)
        return b'"fatal"' not in said


class CoordinatorTarget:
    """What the coordinator does with what an actor says: it takes it in, or ReplayError names the host."""

    def __init__(self, _folder: Path) -> None:
        self._plan = build_plan(3, FLOWS)
        self._scheduler = make("fair", {})

    def feed(self, random: Random) -> bool:
        """A few messages of one actor, in any order."""
        lines = [as_line(mangled(each, random), random) for each in random.choices(REPORTS, k=3)]
        ours, theirs = socket.socketpair()
        coordinator = one_actor(self._plan, self._scheduler, ours)
        try:
            with theirs:
                theirs.sendall(b"".join(lines)[:MOST_AT_ONCE])
                _turn(coordinator._loop, 2)
        except ReplayError as error:
            return _names_a_host(str(error))
        finally:
            coordinator.close()
        return True


class ApplicationTarget:
    """What programs say, through an actor to the coordinator and back: nothing of it may end a run."""

    def __init__(self, folder: Path) -> None:
        self._where = str(folder / "door")
        self._plan = build_plan(3, FLOWS)
        self._scheduler = make("fair", {})

    def feed(self, random: Random) -> bool:
        """A few requests of one program, with connections and other descriptors along with them."""
        ours, theirs = socket.socketpair()
        coordinator = one_actor(self._plan, self._scheduler, ours)
        coordinator._injection.begin()
        loop = Loop()
        outbox = Outbox(loop)
        sender = Sender(loop, outbox)
        applications = Applications(self._where, loop, outbox, sender)
        lost: list[str] = []
        channel = Channel(loop, theirs, lambda message: _carry(applications, message), lost.append)
        outbox.send = channel.send
        applications.serve()
        try:
            with socket.socket(socket.AF_UNIX) as program:
                program.connect(self._where)
                for request in (random.choice(REQUESTS[:2]), *random.choices(REQUESTS, k=3)):
                    if not _hand(program, as_line(mangled(request, random), random), random):
                        break
                    _turn(loop, 2, outbox.flush_if_urgent)
                    _turn(coordinator._loop, 1)
                _turn(loop, 1)
                said = _everything(program)
            assert not lost, lost
            assert coordinator._crew.links[0].open
        finally:
            applications.close()
            channel.close()
            sender.close()
            loop.close()
            coordinator.close()
        return any(b'"answer"' in line and b'"error"' not in line for line in said.splitlines())


class NorthboundTarget:
    """The northbound interface, its switches away: an answer of HTTP to everything, and never one of 500."""

    def __init__(self, _folder: Path) -> None:
        from small_plans import fat_tree

        rules = make_rules(fat_tree(2))
        self._ledger = Ledger(rules)
        logging.getLogger("controller").addHandler(ErrorReport(self._ledger))
        app = RulesApp(rules, self._ledger, Requests())
        with socket.socket(socket.AF_UNIX) as nobody:  # each connection is handed over by itself
            self._northbound = Northbound(nobody, "t" * 20, make_routes(app))

    def feed(self, random: Random) -> bool:
        """One connection with a request on it."""
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(_request(random)[:MOST_AT_ONCE])
            theirs.shutdown(socket.SHUT_WR)
            self._northbound._serve(ours)
            said = _everything(theirs)
        assert not self._ledger.snapshot()["errors"], self._ledger.snapshot()["errors"]
        assert not re.search(rb"HTTP/1.1 5(?!01|05)", said), said
        return said.startswith(b"HTTP/1.1 200")


_FLOW = list(FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000))
_CHANGE: dict[str, Any] = {
    "switches": {
        "e0": {
            "set_meters": [{"meter": 5, "rate_bps": 1e6, "burst_bytes": 30_000}], "remove_meters": [6],
            "set_metered": [{"flow": _FLOW, "meter": 5}], "remove_metered": [_FLOW],
            "set_marks": [{"flow": _FLOW, "dscp": 8}], "remove_marks": [_FLOW],
        }
    }
}  # fmt: skip


def _request(random: Random) -> bytes:
    method, path = random.choice(
        (("GET", "/status"), ("GET", "/topology"), ("GET", "/paths?source=h0&destination=10.0.1.1"), ("GET", "/ports"),
         ("GET", "/flows?switch=e0"), ("GET", "/meters"), ("GET", "/marks"), ("POST", "/changes"),
         ("GET", "/ready?deadline_s=0"),
         ("PUT", "/x"), ("GET", "//[x"), ("GET", "http://[::1"), ("GET", "/status?a=%ff&a"))
    )  # fmt: skip
    body = json.dumps(mangled(_CHANGE, random)).encode() if method != "GET" else b""
    headers = {"Host": "localhost", "Authorization": f"Bearer {'t' * 20}", "Content-Length": str(len(body))}
    odd = tuple(str(value)[:300].replace("\n", " ").encode(errors="replace").decode("latin-1") for value in ODD)
    if not random.randrange(3):
        headers = {
            **headers,
            **dict([random.choice(list(headers.items()))]),
            random.choice(list(headers)): random.choice(odd),
        }
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return spoiled(head.encode("utf-8", errors="replace") + b"\r\n" + body, random, one_in=4)


def one_actor(plan: Any, scheduler: Any, connection: socket.socket) -> Coordinator:
    """A coordinator that has one of its actors at the other end of a connection."""
    coordinator = Coordinator(plan, ["-", "-", "-"], scheduler, PORT, "", None, lambda _where, _timeout_s: connection)
    assert coordinator._crew.links[0].try_connect(1.0) == ""
    coordinator._ledger.start_ns = NOW
    return coordinator


def _carry(applications: Applications, message: dict[str, Any]) -> None:
    """What an actor does with the coordinator's `reply`; other commands go to flows."""
    if message["op"] == "reply":
        applications.answer(message["application"], message["message"])


def _hand(program: socket.socket, line: bytes, random: Random) -> bool:
    """Send a line, at times with a descriptor along: a pipe's or an unconnected socket's. False: it was left."""
    kind = random.randrange(6)
    reading, writing = os.pipe()
    try:
        with socket.socket(random.choice((socket.AF_INET, socket.AF_UNIX))) as made:
            handed = array.array("i", [made.fileno(), reading][kind : kind + 1])
            along = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)] if handed else []
            program.sendmsg([line[:MOST_AT_ONCE] or b"\n"], along)
            return True
    except ConnectionError:
        return False
    finally:
        os.close(reading)
        os.close(writing)


def _turn(loop: Loop, rounds: int, after_each: Any = None) -> None:
    """Let a loop go round so many times, without waiting for anything."""
    before = loop.after_each
    left = [rounds]

    def count() -> None:
        if before is not None:
            before()
        if after_each is not None:
            after_each()
        left[0] -= 1
        if left[0] > 0:
            loop.call_at(0, _nothing)
        else:
            loop.stop()

    loop.after_each = count
    loop.call_at(0, _nothing)
    try:
        loop.run()
    finally:
        loop.after_each = before


def _names_a_host(words: str) -> bool:
    """False, as the input was none, where its error names the host."""
    assert "host h0" in words, words
    return False


def _nothing() -> None:
    """What keeps a loop from waiting."""


def _everything(connection: socket.socket) -> bytes:
    """All that has come so far; every line of it is of JSON where it begins like that."""
    said = b""
    while select.select([connection], [], [], 0)[0]:
        try:
            data = connection.recv(1 << 20)
        except ConnectionError:
            break
        if not data:
            break
        said += data
    for line in said.splitlines() if said.startswith(b"{") else ():
        assert isinstance(orjson.loads(line), dict), line
    return said


def _one_by_one(loop: Loop, steps: list[Callable[[], None]]) -> None:
    """Take one step in each round of a loop."""
    steps.pop(0)()
    if steps:
        loop.call_at(time.monotonic_ns(), lambda: _one_by_one(loop, steps))
