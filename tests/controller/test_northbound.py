"""The northbound interface and its document, docs/northbound.openapi.yml, held against each other."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from json_schema import mistakes, resolve
from private_network import PrivateNetwork, private_network
from small_plans import fat_tree

from controller.answers import make_routes
from testbed.emulation.northbound_client import NorthboundClient
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter

pytestmark = pytest.mark.network

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "docs/northbound.openapi.yml").read_text(encoding="utf-8")
)
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
FLOW = FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000)


@pytest.fixture(scope="module")
def network() -> Iterator[PrivateNetwork]:
    with private_network(fat_tree(2)) as made:
        yield made


@pytest.fixture
def client(network: PrivateNetwork) -> Iterator[NorthboundClient]:
    with contextlib.closing(NorthboundClient(network.controller.northbound, network.controller.token)) as made:
        yield made


def body_of(operation: dict[str, Any]) -> Any:
    return operation["requestBody"]["content"]["application/json"]["example"] if "requestBody" in operation else None


def schema_of(operation: dict[str, Any], status: str) -> Any:
    response = resolve(DOCUMENT, operation["responses"][status])
    return response["content"]["application/json"]["schema"]


def test_what_is_documented_is_what_is_answered() -> None:
    routes = make_routes(None)  # type: ignore[arg-type]  # nothing is asked of it
    assert sorted(OPERATIONS) == sorted(
        (path, method.lower()) for path, methods in routes.items() for method in methods
    )


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_path_answers_as_its_schema_says(
    network: PrivateNetwork, client: NorthboundClient, path: str, method: str
) -> None:
    """With meters and marks to tell of; and with every parameter given."""
    network.controller.change({"e0": Change({5: Meter(1e6, 30_000)}, (), {FLOW: 5}, (), {FLOW: 4})})
    operation = DOCUMENT["paths"][path][method]
    parameters = [resolve(DOCUMENT, each) for each in operation.get("parameters", [])]
    needed = {each["name"]: each["example"] for each in parameters if each.get("required")}
    full = {each["name"]: each.get("example", each["schema"].get("default")) for each in parameters}
    for query in (needed, full):
        status, answer = client.request(method.upper(), path, query, body_of(operation), 10.0)
        assert status == 200, answer
        assert answer
        assert mistakes(DOCUMENT, schema_of(operation, "200"), answer) == []
    status, answer = client.request(method.upper(), path, {**full, "unknown": 1}, body_of(operation), 10.0)
    assert status == 400
    assert mistakes(DOCUMENT, schema_of(operation, "default"), answer) == []
    assert answer["error"].startswith("unknown parameter 'unknown'")


def test_the_example_of_a_change_is_understood_as_its_schema_says() -> None:
    operation = DOCUMENT["paths"]["/changes"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert mistakes(DOCUMENT, content["schema"], content["example"]) == []
    whole = Change({5: Meter(1e6, 30_000)}, (6,), {FLOW: 5}, (FLOW,), {FLOW: 4}, (FLOW,)).document()
    assert mistakes(DOCUMENT, content["schema"], {"switches": {"e0": whole}}) == []
    assert set(whole) == set(DOCUMENT["components"]["schemas"]["Change"]["properties"])


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/changes", {"switch": {}}, "changes: expected an object {switches: {NAME: change}}"),
        (
            "/changes",
            {"switches": {"e0": {"set_meter": []}}},
            "changes: switch e0: unknown part of a change 'set_meter'; did you mean 'set_meters'? known: ",
        ),
        (
            "/changes",
            {"switches": {"e0": {"set_marks": [{"flow": list(FLOW), "dscp": 64}]}}},
            "changes: switch e0: dscp 64; expected a number from 0 to 63",
        ),
        (
            "/changes",
            {"switches": {"e0": {"remove_marks": [["10.0.0.1", 0, "10.0.1.1", 5000]]}}},
            "changes: switch e0: flow ['10.0.0.1', 0, '10.0.1.1', 5000]: port 0; expected [source address, ",
        ),
        (
            "/changes",
            {"switches": {"e0": {"set_meters": [{"meter": 1, "rate_bps": 1, "burst_bytes": 1}]}}},
            "changes: switch e0: meter {'meter': 1, 'rate_bps': 1, 'burst_bytes': 1}: ValueError: out of range; expec",
        ),
    ],
)
def test_a_wrong_change_is_refused(client: NorthboundClient, path: str, body: Any, error: str) -> None:
    status, answer = client.request("POST", path, {}, body, 10.0)
    assert status == 400
    assert answer["error"].startswith(error)


def raw(network: PrivateNetwork, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
    """Status and error of a request with exactly these headers."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(str(network.controller.northbound))
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("error", "")


def test_without_the_token_nothing_is_said_or_done(network: PrivateNetwork) -> None:
    for headers, found in (
        ({}, "no token"),
        ({"Authorization": "Bearer wrong"}, "a wrong token"),
        ({"Authorization": f"Bearer {network.controller.token}x"}, "a wrong token"),
        ({"Authorization": f"Basic {network.controller.token}"}, "a wrong token"),
    ):
        expected = (401, f"northbound: {found}; expected 'Authorization: Bearer' and this run's token")
        for path, method in OPERATIONS:
            assert raw(network, method.upper(), path, {"Host": "localhost", **headers}) == expected


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1:6653", "[::1]:80"])
def test_local_names_are_answered(network: PrivateNetwork, host: str) -> None:
    token = {"Authorization": f"Bearer {network.controller.token}"}
    assert raw(network, "GET", "/status", {"Host": host, **token}) == (200, "")


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "", "192.168.0.1"])
def test_other_names_are_not(network: PrivateNetwork, host: str) -> None:
    token = {"Authorization": f"Bearer {network.controller.token}"}
    expected = f"northbound: Host is '{host}'; expected localhost or a loopback address"
    assert raw(network, "GET", "/status", {"Host": host, **token}) == (403, expected)


def test_wrong_methods_and_bodies(network: PrivateNetwork) -> None:
    known = {"Host": "localhost", "Authorization": f"Bearer {network.controller.token}"}
    assert raw(network, "POST", "/status", {**known, "Content-Length": "2"}, "{}") == (
        405,
        "northbound: POST /status; expected GET",
    )
    status, error = raw(network, "POST", "/changes", {**known, "Content-Length": "5"}, "{nope")
    assert status == 400
    assert error.startswith("northbound: the body is not JSON (")
    expected = "northbound: Content-Length is '99999999'; expected at most 16777216 bytes"
    assert raw(network, "POST", "/changes", {**known, "Content-Length": "99999999"}) == (413, expected)
