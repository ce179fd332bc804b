"""Emulated runs with which something is wrong: a small network, and somebody who meddles with it in mid-run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testbed.coflow import Ints
from testbed.emulation import session
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.session import emulate
from testbed.fidelity import Check, Verdict, assess
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.replay.onlooker import Standing
from testbed.scheduling.gammas import lone_gammas
from testbed.spec.reader import load_experiment

SPEC = """
topology: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 2, link: {rate: 20 Mbit/s, mtu: 9000}}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 2, size: 5 MB}, {from: 1, to: 2, size: 5 MB}]}
    - {id: 2, arrival: 1400 ms, flows: [{from: 1, to: 3, size: 100 KB}]}
schedulers: [fair]
backends: [emulation]
"""
"""Two flows, one by each spine, that meet on the way to h2: a queue stands there for some four seconds."""
BOTTLENECK = "l1->h2"

Meddle = Callable[[EmulatedNetwork], None]


@dataclass
class Broken:
    """What came of such a run."""

    outcome: Outcome
    verdict: Verdict

    def check(self, name: str) -> Check:
        """One check that was made."""
        assert name not in self.verdict.unmeasured, self.verdict.unmeasured[name]
        return next(check for check in self.verdict.checks if check.name == name)


@dataclass
class Meddler:
    """An onlooker that does something once, when a phase begins or so many seconds after the start."""

    networks: list[EmulatedNetwork]
    act: Meddle
    when: float | str
    pids: Sequence[int] = ()
    done: list[bool] = field(default_factory=list)

    def phase(self, name: str) -> None:
        if name == self.when:
            self._act()

    def standing(self, standing: Standing) -> None:
        pass

    def ports(self, at_s: float, sent: Ints) -> None:
        if isinstance(self.when, float) and at_s >= self.when and not self.done:
            self._act()

    def _act(self) -> None:
        self.done.append(True)
        self.act(self.networks[-1])


class Seen(EmulatedNetwork):
    """A network that tests can get at while it is up."""

    networks: list[EmulatedNetwork] = []  # noqa: RUF012

    def __enter__(self) -> EmulatedNetwork:
        self.networks.append(self)
        return super().__enter__()


def run_broken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    act: Meddle,
    when: float | str = 0.9,
    pids: Sequence[int] = (),
    spec: str = SPEC,
) -> Broken:
    """Emulate the plan of `spec`; `act` is done `when` a phase begins, or so many seconds after the start.

    The processes `pids` count as the testbed's own.
    """
    (tmp_path / "experiment.yml").write_text(spec)
    plan: Plan = next(iter(make_plans(load_experiment(tmp_path / "experiment.yml"))))
    monkeypatch.setattr(session, "EmulatedNetwork", Seen)
    monkeypatch.setattr(Seen, "networks", [])
    meddler = Meddler(Seen.networks, act, when, pids)
    outcome = emulate(plan, "test-broken", tmp_path, say=lambda _: None, onlooker=meddler)
    assert meddler.done, f"the run was over before {when}"
    return Broken(outcome, assess(plan, outcome, lone_gammas(plan)))


def port(network: EmulatedNetwork, link: str) -> str:
    """The interface (in the root namespace) that a link leaves a switch from."""
    number = next(i for i, one in enumerate(network.plan.fabric.links) if one.name == link)
    namespace, interface = network.queues.where[number]
    assert namespace is None
    return interface


def port_number(network: EmulatedNetwork, link: str) -> int:
    """The OpenFlow port that a link leaves from."""
    return next(one.source_port for one in network.plan.fabric.links if one.name == link)
