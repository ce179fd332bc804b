"""One emulated run: the network, the OpenFlow app and the replay, brought up in order and always taken down."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from testbed.actor import endpoint
from testbed.emulation.affinity import kept_apart
from testbed.emulation.containers import ACTOR_COMMAND, IN_BAND_COMMAND
from testbed.emulation.controller_process import ControllerProcess
from testbed.emulation.edges import ChangeSwitches, Edges
from testbed.emulation.faults import FaultInjector
from testbed.emulation.netns import inside
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.router_edges import marks_at_edge
from testbed.emulation.sampling import SAMPLE_S, Samples
from testbed.emulation.turns import shorten_turns
from testbed.errors import EmulationError
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.actor_link import Connect
from testbed.replay.onlooker import Onlooker
from testbed.replay.progress import Progress
from testbed.replay.replay import outcome_so_far, replay
from testbed.replay.setup import CONTROL_PORT
from testbed.rules.edge import Change


def emulate(
    plan: Plan,
    run_id: str,
    logs: Path,
    *,
    say: Callable[[str], None],
    on_progress: Callable[[Progress], None] | None = None,
    onlooker: Onlooker | None = None,
) -> Outcome:
    """Bring the plan's network up, replay the plan, take everything down, and return what happened.

    `logs` is a folder for the logs of the controller and of applications. Raises EmulationError or ReplayError;
    `outcome_so_far(error)` then has what had happened before it.
    """
    if onlooker is not None:
        onlooker.phase("bring-up")
    with contextlib.ExitStack() as stack:
        controllers: list[ControllerProcess] = []

        def start_controller(directory: Path) -> tuple[str, int]:
            controllers.append(stack.enter_context(ControllerProcess(plan, directory, logs / "controller.log", say)))
            return controllers[0].address

        command = IN_BAND_COMMAND if plan.control == "in-band" else ACTOR_COMMAND
        network = EmulatedNetwork(plan, run_id, say, start_controller, command)
        try:
            with network:
                # Routers have had their rules since the bring-up, and no controller.
                install_s = controllers[0].wait_ready() if controllers else network.phases["routes"]
                outcome = _replay(plan, network, controllers, on_progress, onlooker, logs)
                outcome.facts["rules_s"] = install_s
                if onlooker is not None:
                    onlooker.phase("take-down")
        except BaseException as error:
            kept = outcome_so_far(error)
            if kept is not None:
                _add_facts(kept, network)
            raise
    _add_facts(outcome, network)
    return outcome


def deadline_s(plan: Plan) -> float:
    """How long a replay may take before it counts as stuck: ten times what its busiest link needs, and a minute.

    Applications have a deadline of their own, on top of which that comes.
    """
    load = plan.flows.bytes_by_link(len(plan.fabric.links)) * _slowest(plan)
    starts = plan.flows.start_s[~np.isnan(plan.flows.start_s)]
    delays = sum(plan.flows.delay_s.values()) + sum(plan.coflows.delay_s.values())
    applications_s = plan.applications.deadline_s if plan.applications.programs else 0.0
    last_s = max(*starts, *(fault.at_s for fault in plan.faults), 0.0)
    return float(last_s + delays + applications_s + 10 * (load / plan.fabric.capacity_Bps).max() + 60)


def _slowest(plan: Plan) -> float:
    """How many times as long faults may make it: by the slowest link, and by twice the load on ways around."""
    share = [fault.rate_bps / link.rate_bps for fault in plan.faults if fault.rate_bps for link in plan.fabric.links]
    return 2 / min(share, default=1.0) if plan.faults else 1.0


def _replay(
    plan: Plan,
    network: EmulatedNetwork,
    controllers: list[ControllerProcess],
    on_progress: Callable[[Progress], None] | None,
    onlooker: Onlooker | None,
    logs: Path,
) -> Outcome:
    ours = [*(controller.pid for controller in controllers), *network.pids()]
    samples = Samples(network, [os.getpid(), *ours], onlooker)

    def check_alive() -> None:
        network.check_alive()
        for controller in controllers:
            controller.check_alive()

    forwarding = network.forwarding_thread()
    # Where no thread polls, actors share out both processors among themselves, and long turns cost less.
    short_turns = forwarding is not None and shorten_turns(host.pid for host in network.hosts)
    try:
        with (
            contextlib.closing(samples),
            kept_apart(forwarding, [pid for pid in ours if pid != forwarding]) as processor,
            _edges(plan, network, controllers) as change_edges,
        ):
            where, connect = _control(plan, network)
            outcome = replay(
                plan,
                where,
                connect=connect,
                on_progress=on_progress,
                onlooker=onlooker,
                sample=samples.take,
                sample_s=SAMPLE_S,
                check_alive=check_alive,
                deadline_s=deadline_s(plan),
                change_edges=change_edges,
                logs=logs,
                injector=_injector(plan, network, controllers),
            )
    except BaseException as error:
        kept = outcome_so_far(error)
        if kept is not None:
            samples.add_to(kept)
        raise
    outcome.facts |= {"forwarding_processor": processor, "short_turns": short_turns}
    with contextlib.suppress(EmulationError):  # the run is over: what cannot be read any more is unmeasured
        samples.end(outcome.facts["start_monotonic_ns"])
    samples.add_to(outcome)
    return outcome


@contextlib.contextmanager
def _edges(
    plan: Plan, network: EmulatedNetwork, controllers: list[ControllerProcess]
) -> Iterator[Callable[[Mapping[str, Change]], dict[str, float]] | None]:
    """What changes meters and marks at the network's edge, by way of the OpenFlow app or at its routers.

    None where neither is there.
    """
    with contextlib.ExitStack() as stack:
        if controllers:
            change_switches: ChangeSwitches = controllers[0].change
        elif "meter" in plan.enforcement or marks_at_edge(plan):
            change_switches = stack.enter_context(network.router_edges()).change
        else:
            yield None
            return
        yield stack.enter_context(Edges(change_switches, network.hosts if marks_at_edge(plan) else ())).change


def _injector(plan: Plan, network: EmulatedNetwork, controllers: list[ControllerProcess]) -> FaultInjector | None:
    if not plan.faults:
        return None
    return FaultInjector(plan, network, controllers[0].change_routes if controllers else None)


def _control(plan: Plan, network: EmulatedNetwork) -> tuple[list[str], Connect]:
    """Where the actors listen, and how they are reached from where the coordinator is.

    In-band the connections are made inside the first host's network namespace, and a socket belongs for ever to the
    namespace in which it was made: all messages cross that host's interface and the emulated links, as if the
    coordinator ran in the container, while its interpreter, its libraries and its priority stay the machine's.
    """
    if plan.control != "in-band":
        return [str(host.control_dir / "actor.sock") for host in network.hosts], endpoint.connect

    def connect(where: str, timeout_s: float) -> socket.socket:
        return inside(network.hosts[0].pid, lambda: endpoint.connect(where, timeout_s))

    return [f"{host.address.primary}:{CONTROL_PORT}" for host in network.hosts], connect


def _add_facts(outcome: Outcome, network: EmulatedNetwork) -> None:
    outcome.facts.update(network.facts())
