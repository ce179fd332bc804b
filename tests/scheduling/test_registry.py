"""Schedulers by name: the table, entry points of other packages, and the wording of every mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import SchedulerError
from testbed.scheduling import registry
from testbed.scheduling.base import Scheduler

KNOWN = ("bssi", "dclas", "fair", "fair-coflowsim", "fair-paced", "fifo", "lcf", "ncf", "scf", "sebf", "srpt", "wss")

THIRD_PARTY = """
from testbed.scheduling.fair import Fair


class Mine(Fair):
    name = "mine"


class NotOne:
    pass
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a package with entry points on the path, as pip would."""

    def do(*lines: str) -> None:
        info = tmp_path / "third_party_schedulers-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-schedulers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines]) + "\n")
        (tmp_path / "third_party_schedulers.py").write_text(THIRD_PARTY)
        monkeypatch.syspath_prepend(tmp_path)

    return do


def message(name: str, parameters: dict[str, Any]) -> str:
    with pytest.raises(SchedulerError) as error:
        registry.make(name, parameters)
    return str(error.value)


def test_all_families_are_known() -> None:
    assert registry.known() == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_a_class_is_called_what_it_is_registered_as(name: str) -> None:
    scheduler = registry.make(name, {})
    assert isinstance(scheduler, Scheduler)
    assert scheduler.name == name


@pytest.mark.parametrize("name", KNOWN)
def test_defaults_may_be_given(name: str) -> None:
    assert isinstance(registry.make(name, registry.parameters(name)), Scheduler)


def test_blind_ones() -> None:
    blind = {name for name in KNOWN if not registry.scheduler_class(name).clairvoyant}
    assert blind == {"fair", "fair-paced", "fair-coflowsim", "dclas"}


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("zzz", {}, f"unknown scheduler 'zzz'; known: {', '.join(KNOWN)}"),
        ("dklas", {}, f"unknown scheduler 'dklas'; did you mean 'dclas'? known: {', '.join(KNOWN)}"),
        (
            "dclas",
            {"que": 3},
            "unknown parameter of scheduler dclas 'que'; did you mean 'queues'? "
            "known: factor, first_limit, minimum_size, queues, sharing, sync",
        ),
        ("fair", {"queues": 3}, "scheduler fair takes no parameters; found 'queues'"),
        (
            "dclas",
            {"sharing": "fair"},
            "scheduler dclas: parameter sharing is 'fair'; expected one of: weighted, strict",
        ),
        ("dclas", {"first_limit": 0}, "scheduler dclas: parameter first_limit is 0; expected a number above 0"),
        (
            "dclas",
            {"first_limit": "1 MB"},
            "scheduler dclas: parameter first_limit is '1 MB'; expected a number above 0",
        ),
        ("dclas", {"factor": 1}, "scheduler dclas: parameter factor is 1; expected a number above 1"),
        ("dclas", {"factor": float("nan")}, "scheduler dclas: parameter factor is nan; expected a number above 1"),
        ("dclas", {"queues": 0}, "scheduler dclas: parameter queues is 0; expected a whole number from 1 to 1000"),
        ("dclas", {"queues": 2.5}, "scheduler dclas: parameter queues is 2.5; expected a whole number from 1 to 1000"),
        ("dclas", {"sync": -1}, "scheduler dclas: parameter sync is -1; expected a number of at least 0"),
        (
            "dclas",
            {"minimum_size": float("inf")},
            "scheduler dclas: parameter minimum_size is inf; expected a number of at least 0",
        ),
        ("sebf", {"order": "random"}, "scheduler sebf: parameter order is 'random'; expected one of: dynamic, static"),
        ("sebf", {"backfill": "yes"}, "scheduler sebf: parameter backfill is 'yes'; expected true or false"),
        (
            "sebf",
            {"guard_period": 1.0},
            "scheduler sebf: parameters guard_period and guard_time are 1.0 and 0.0; "
            "expected 0 < guard_time < guard_period, or 0 for both",
        ),
        ("fifo", {"rates": "max-min"}, "scheduler fifo: parameter rates is 'max-min'; expected one of: greedy, madd"),
        (
            "wss",
            {"between": "lifo"},
            "scheduler wss: parameter between is 'lifo'; expected one of: fifo, priority, weighted",
        ),
    ],
)
def test_mistakes(name: str, parameters: dict[str, Any], expected: str) -> None:
    assert message(name, parameters) == expected


def test_another_package_adds_a_scheduler(install: Any) -> None:
    install("mine = third_party_schedulers:Mine")
    assert registry.known() == tuple(sorted((*KNOWN, "mine")))
    assert registry.make("mine", {}).name == "mine"


def test_a_name_is_registered_once(install: Any) -> None:
    install("sebf = third_party_schedulers:Mine")
    with pytest.raises(SchedulerError, match="^" + re.escape(
        "scheduler 'sebf' is registered twice: testbed.scheduling.sebf:Sebf and third_party_schedulers:Mine; "
        "rename one of them"
    ) + "$"):  # fmt: skip
        registry.known()


def test_what_cannot_be_loaded_is_named(install: Any) -> None:
    install(
        "gone = third_party_schedulers:Gone", "other = no_such_module_here:X", "not-one = third_party_schedulers:NotOne"
    )
    assert message("gone", {}) == (
        "scheduler 'gone': cannot load third_party_schedulers:Gone: "
        "module 'third_party_schedulers' has no attribute 'Gone'"
    )
    assert message("other", {}) == (
        "scheduler 'other': cannot load no_such_module_here:X: No module named 'no_such_module_here'"
    )
    assert message("not-one", {}) == (
        "scheduler 'not-one': third_party_schedulers:NotOne is not a subclass of testbed.scheduling.base.Scheduler"
    )
