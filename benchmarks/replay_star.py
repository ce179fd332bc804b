"""Replay an experiment's plans on a star of network namespaces: what coordinator and actors cost, how exact they are.

As root: `.venv/bin/python benchmarks/replay_star.py [EXPERIMENT] [--json]`. The star stands in for the emulated
network: every host is a namespace with its plan's addresses, one router namespace joins them, and each port is shaped
by HTB to its link's rate with its buffer. So hosts' links are as in the plan and the middle is free, with no switch
that competes for the CPU. Prints, per plan: start skew, decision latency, CPU time of actors and coordinator, control
traffic, mean CCT and retransmissions.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.replay.replay import replay
from testbed.spec.reader import load_experiment

HOST_BUFFER = 4_000_000
"""Bytes that a host's own queue holds: all that its flows may put there (two segments each), so that none is dropped.

A sender whose segments are dropped by its own host's queue tries again every 500 ms; after 15 such attempts in a row
the kernel gives the connection up. With 256 KB and 20 flows on a 20 Mbit/s uplink that happened within 8 s.
"""
ACTOR = Path(__file__).parent.parent / "testbed/actor"


@contextmanager
def star(plan: Plan, actor_python: str) -> Iterator[list[Path]]:
    """Namespaces, links and actors for a plan; the actors' control sockets, in the order of the hosts."""
    name = f"star{os.getpid()}"
    router, hosts = f"{name}r", [f"{name}h{i}" for i in range(len(plan.addresses))]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for space in (router, *hosts):
            run("ip", "netns", "add", space)
        in_space(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for i, (space, address) in enumerate(zip(hosts, plan.addresses, strict=True)):
            mtu = str(plan.fabric.mtu)
            run("ip", "link", "add", f"p{i}", "mtu", mtu, "netns", router, "type", "veth",
                "peer", "name", "eth0", "mtu", mtu, "netns", space)  # fmt: skip
            run("ip", "-n", router, "link", "set", f"p{i}", "up")
            for device in ("lo", "eth0"):
                run("ip", "-n", space, "link", "set", device, "up")
            for own in (address.primary, *address.via):
                run("ip", "-n", space, "address", "add", f"{own}/32", "dev", "eth0")
                run("ip", "-n", router, "route", "add", f"{own}/32", "dev", f"p{i}")
            in_space(space, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off", "tx", "off")
            run("ip", "-n", router, "address", "add", "169.254.1.1/32", "dev", f"p{i}")
            run("ip", "-n", space, "route", "add", "169.254.1.1/32", "dev", "eth0")
            tcp = plan.tcp
            run("ip", "-n", space, "route", "add", "default", "via", "169.254.1.1", "congctl", tcp.congestion,
                "initcwnd", str(tcp.initcwnd), "rto_min", f"{round(tcp.rto_min_s * 1e3)}ms")  # fmt: skip
            in_space(space, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
            up, down = plan.fabric.links[plan.fabric.uplink[i]], plan.fabric.links[plan.fabric.downlink[i]]
            shape(space, "eth0", up.rate_bps, HOST_BUFFER)
            shape(router, f"p{i}", down.rate_bps, down.buffer_bytes)
        with tempfile.TemporaryDirectory() as folder:
            sockets = [Path(folder) / f"h{i}.sock" for i in range(len(hosts))]
            for space, socket in zip(hosts, sockets, strict=True):
                command = ["ip", "netns", "exec", space, actor_python, "-B", str(ACTOR), "--socket", str(socket)]
                processes.append(subprocess.Popen(command))
            yield sockets
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for space in (router, *hosts):
            subprocess.run(["ip", "netns", "delete", space], check=False)


def shape(space: str, device: str, rate_bps: float, buffer_bytes: int) -> None:
    """One HTB class at the link's rate, with a FIFO of the link's buffer."""
    rate = f"{round(rate_bps)}bit"
    in_space(space, "tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "1")
    in_space(space, "tc", "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", rate,
             "burst", "10k", "cburst", "10k", "quantum", "9014")  # fmt: skip
    in_space(space, "tc", "qdisc", "add", "dev", device, "parent", "1:1", "bfifo", "limit", str(buffer_bytes))


def run(*command: str) -> None:
    """A command that must go well."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def in_space(space: str, *command: str) -> None:
    """A command inside a network namespace."""
    run("ip", "netns", "exec", space, *command)


def figures(plan: Plan, outcome: Outcome, wall_s: float, coordinator_s: float) -> dict[str, Any]:
    """What there is to say about a replay."""
    starts = outcome.samples["starts"].set_index("flow").allowed_s
    planned = outcome.planned_start_s
    at_once = np.array([flow for flow, allowed in starts.items() if allowed == planned[flow]], dtype=np.int64)
    skew_ms = (outcome.start_s - planned)[at_once] * 1e3
    latency_ms = np.array([decision.latency_s for decision in outcome.decisions]) * 1e3
    cct = []
    for row, coflow in enumerate(plan.coflows.coflow):
        mine = plan.flows.coflow == coflow
        cct.append(outcome.finish_s[mine].max() - outcome.coflow_arrival_s[row])
    cpu = outcome.samples["cpu"].groupby("host").cpu_s
    actor_s = sum(cpu.max() - cpu.min()) - (cpu.max() - cpu.min())["coordinator"]
    megabytes = plan.flows.bytes.sum() / 1e6
    facts, probe_ms = outcome.facts, outcome.samples["probe"].rtt_s * 1e3
    end_s = float(np.nanmax(outcome.finish_s))
    return {
        "scheduler": plan.scheduler.title,
        "flows": len(plan.flows),
        "megabytes": round(float(megabytes), 1),
        "end_s": round(end_s, 2),
        "mean_cct_s": round(float(np.mean(cct)), 3),
        "let_go_at_once": len(at_once),
        "skew_ms p50 p99 max": [round(float(np.percentile(skew_ms, q)), 2) for q in (50, 99, 100)],
        "decisions": len(latency_ms),
        "latency_ms p50 p99 max": [round(float(np.percentile(latency_ms, q)), 2) for q in (50, 99, 100)],
        "actor_cpu_s all": round(float(actor_s), 2),
        "actor_cpu_ms per MB sent and received": round(float(actor_s) / megabytes * 1e3, 2),
        "coordinator_cpu_s": round(coordinator_s, 2),
        "control_KB to from": [facts[f"control_{way}_bytes"] // 1000 for way in ("sent", "received")],
        "control_rtt_ms p50 max": [round(facts[f"control_rtt{what}_s"] * 1e3, 2) for what in ("", "_max")],
        "probe_ms p50 max": [round(float(value), 2) for value in (probe_ms.median(), probe_ms.max())],
        "retransmits": int(outcome.retransmits.sum()),
        "phases_s": {phase: round(time_s, 2) for phase, time_s in facts["phases_s"].items()},
        "wall_s": round(wall_s, 2),
        "conserved": bool(np.array_equal(outcome.sent_bytes, outcome.received_bytes)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("experiment", nargs="?", default="experiments/quickstart.yml")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="as `testbed run --set`")
    parser.add_argument("--delta", type=float, help="seconds between the actors' reports of received bytes")
    parser.add_argument("--python", default="/usr/bin/python3", help="the actors' interpreter")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for plan in make_plans(load_experiment(Path(options.experiment), options.overrides)):
        with star(plan, options.python) as sockets:
            before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
            outcome = replay(plan, sockets, delta_s=options.delta)
            after, wall_s = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
        spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = figures(plan, outcome, wall_s, spent_s)
        if options.json:
            json.dump(found, sys.stdout)
            print()
        else:
            for key, value in found.items():
                print(f"{key:>40}  {value}")
            print()


if __name__ == "__main__":
    main()
