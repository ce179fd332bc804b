"""How long a decision takes, from the event to the commands on the wire, stage by stage and scheduler by scheduler.

`.venv/bin/python benchmarks/decision_latency.py [--coflows 50] [--flows 1000] [--decisions 300] [--json]`

The coordinator's own decision path on a k=4 fat-tree: `Decisions` with its ledger, flow control and pacing enforcer,
whose messages are encoded and written to unix sockets that a thread reads. No flow moves: between decisions the
benchmark lets bytes arrive, one flow end, and one that had ended begin anew. Stages, in ms:

    view      the scheduler's view is built from the ledger
    allocate  the scheduler is asked, and its answer checked
    enforce   caps are compared with those in force
    flush     commands are encoded and written, one message per actor and kind
    rest      the log, questions, timers

`CPU` is the processor time of the whole decision: on a busy machine the other figures are also other programs'.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from testbed.actor.loop import Loop
from testbed.plan import Plan, SchedulerSetting
from testbed.planning import make_plans
from testbed.replay import decisions as decisions_module
from testbed.replay.actor_link import ActorLink
from testbed.replay.decisions import Decisions
from testbed.replay.enforcement.base import Reach
from testbed.replay.enforcement.registry import make_enforcers
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger
from testbed.scheduling.registry import BUILT_IN, make
from testbed.spec.reader import load_experiment

SPEC = """
topology: {{kind: fat-tree, k: 4, link: {{rate: 20 Mbit/s}}}}
workload: {{kind: explicit, coflows: [{coflows}]}}
schedulers: [fair]
"""
STAGES = ("view", "allocate", "enforce", "flush", "rest")
HOSTS = 16
ABSENT = 10
"""Flows that have ended and not begun anew."""
PERCENTILES = (50, 99, 100)


def busy_plan(coflows: int, flows: int, seed: int = 1) -> Plan:
    """Coflows of different sizes that are all there at once, `flows` flows in all, between 16 hosts."""
    random = np.random.default_rng(seed)
    width = np.maximum(random.multinomial(flows - coflows, random.dirichlet(np.full(coflows, 1.5))) + 1, 1)
    lines = []
    for coflow, count in enumerate(width.tolist()):
        rows = []
        for _ in range(count):
            source, target = random.choice(HOSTS, 2, replace=False).tolist()
            rows.append(f"{{from: {source}, to: {target}, size: {int(random.integers(100, 20_000))} KB}}")
        lines.append(f"{{id: {coflow}, arrival: {coflow} ms, flows: [{', '.join(rows)}]}}")
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "busy.yml"
        spec.write_text(SPEC.format(coflows=", ".join(lines)))
        return next(make_plans(load_experiment(spec)))


@contextmanager
def listening_links(loop: Loop) -> Iterator[list[ActorLink]]:
    """Links to 16 sockets whose other ends are read by a thread, and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        doors, links, ends = [], [], []
        for number in range(HOSTS):
            door = socket.socket(socket.AF_UNIX)
            door.bind(f"{folder}/{number}")
            door.listen()
            doors.append(door)
            link = ActorLink(loop, number, f"h{number}", f"{folder}/{number}", lambda *_: None, lambda *_: None)
            assert not link.try_connect(1.0)
            links.append(link)
            ends.append(door.accept()[0])

        def drain(end: socket.socket) -> None:
            while end.recv(1 << 18):
                pass

        readers = [threading.Thread(target=drain, args=(end,)) for end in ends]
        for reader in readers:
            reader.start()
        try:
            yield links
        finally:
            for link in links:
                link.close()
            for reader, end, door in zip(readers, ends, doors, strict=True):
                reader.join()
                end.close()
                door.close()


class Stopwatch:
    """Adds up the time spent inside functions of one decision."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.spent_s[stage] = self.spent_s.get(stage, 0.0) + time.perf_counter() - began

        return timed


def measure(plan: Plan, count: int) -> dict[str, Any]:
    """Stage times of `count` decisions, in ms, with the number of control bytes that they cost."""
    random = np.random.default_rng(2)
    scheduler = make(plan.scheduler.name, plan.scheduler.parameters)
    ledger, loop, watch = Ledger(plan), Loop(), Stopwatch()
    ledger.start_ns = time.monotonic_ns() - 10**9
    with listening_links(loop) as links:
        control = FlowControl(links, plan.flows.src)
        enforcers = make_enforcers(Reach(plan, control))
        made = Decisions(plan, scheduler, ledger, control, enforcers, loop, lambda *_: None)
        flows = len(plan.flows)
        active = np.ones(flows, dtype=np.bool_)
        ledger.begun[:] = active
        made.rehearse()
        made.arrival(dict.fromkeys(range(flows), ledger.start_ns))
        made._views.build = watch.around("view", made._views.build)  # type: ignore[method-assign]
        for enforcer in enforcers:
            enforcer.enforce = watch.around("enforce", enforcer.enforce)  # type: ignore[method-assign]
        control.flush = watch.around("flush", control.flush)  # type: ignore[method-assign]
        asked = decisions_module.decide
        decisions_module.decide = watch.around("allocate", asked)
        rows, ended = [], deque[int]()
        sent_before = sum(link.traffic[0] for link in links)
        gc.collect()
        gc.disable()
        try:
            for _ in range(count):
                ledger.received += np.minimum(
                    random.exponential(20_000.0, flows), 0.2 * (ledger.size - ledger.received)
                )
                gone = int(random.integers(flows))
                ended.append(gone)
                ledger.over[gone] = True
                if len(ended) > ABSENT:
                    back = ended.popleft()
                    ledger.over[back] = False
                    ledger.received[back] = 0.0
                watch.spent_s.clear()
                began, worked = time.perf_counter(), time.thread_time()
                made._decide()
                total, worked = time.perf_counter() - began, time.thread_time() - worked
                inside = sum(watch.spent_s.values())
                stages = [watch.spent_s.get(stage, 0.0) for stage in STAGES[:-1]]
                rows.append([*stages, total - inside, total, worked])
        finally:
            gc.enable()
            decisions_module.decide = asked
        sent = sum(link.traffic[0] for link in links) - sent_before
    loop.close()
    table = 1e3 * np.array(rows)
    figures = {
        stage: {f"p{q}": round(float(np.percentile(table[:, i], q)), 3) for q in PERCENTILES}
        for i, stage in enumerate((*STAGES, "total", "CPU"))
    }
    return {"scheduler": plan.scheduler.title, **figures, "bytes per decision": round(sent / count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--coflows", type=int, default=50)
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    plan = busy_plan(options.coflows, options.flows)
    settings = [SchedulerSetting(name) for name, _ in BUILT_IN]
    settings += [SchedulerSetting("dclas", {"sharing": "strict", "first_limit": 1e6, "sync": 0.01})]
    found = [measure(plan.with_scheduler(setting), options.decisions) for setting in settings]
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.coflows} coflows, {len(plan.flows)} flows active, {options.decisions} decisions, "
          f"{os.cpu_count()} processors; ms")  # fmt: skip
    columns = [*(f"{stage} p50" for stage in STAGES), "total p50", "total p99", "total max", "CPU p99", "KB"]
    print(f"{'':32}" + "".join(f"{column:>13}" for column in columns))
    for row in found:
        values = [row[stage]["p50"] for stage in (*STAGES, "total")]
        values += [row["total"]["p99"], row["total"]["p100"], row["CPU"]["p99"], row["bytes per decision"] / 1e3]
        print(f"{row['scheduler'][:30]:32}" + "".join(f"{value:13.2f}" for value in values))


if __name__ == "__main__":
    main()
