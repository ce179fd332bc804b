"""Good specs as plain data, and documents as YAML text that need not be good."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import yaml
from mangling import ODD, mangled, spoiled

TOPOLOGIES: tuple[dict[str, Any], ...] = (
    {"kind": "fat-tree", "k": 2, "link": {"rate": "20 Mbit/s", "mtu": 9000, "buffer": "256 KB", "delay": "1 ms",
     "loss": "0.1%"}, "oversubscription": 2, "datapath": "router"},
    {"kind": "leaf-spine", "leaves": 2, "spines": 2, "hosts_per_leaf": 2, "routing": {"ecmp": "hash"},
     "tcp": {"congestion": "bbr", "initcwnd": 10, "rto_min": "200 ms", "ecn": True, "window": "64 KB"}},
    {"kind": "big-switch", "ports": 4, "link": {"goodput": "128 MB/s"},
     "hosts": {"image": "coflow-actor", "memory": "64 MB", "cpus": 0.5}},
)  # fmt: skip
WORKLOADS: tuple[dict[str, Any], ...] = (
    {"kind": "explicit", "coflows": [
        {"id": 1, "arrival": "0 s", "flows": [{"from": 0, "to": 1, "size": "2 MB", "label": None},
                                              {"from": 1, "to": 0, "size": "6 MB", "id": "x"}]},
        {"id": 2, "after": 1, "delay": "10 ms", "shuffle": {"mappers": [0], "reducers": {1: "10 MB"}},
         "deadline": "3 s"},
        {"id": 3, "arrival": "1 s", "broadcast": {"from": 0, "to": [1], "size": "8 MB"}, "weight": 2},
        {"id": 4, "flows": [{"from": 0, "to": 1, "size": "1 B", "after": ["x"], "via": 0, "label": 1}]}],
     "unlabelled": {"share": 0.5, "seed": 3}},
    {"kind": "trace", "file": "trace.txt", "select": {"first": 0, "count": 2, "max_bytes": "3 GB", "max_width": 9},
     "scale": {"size": 0.001, "time": 0.01}, "ports": "modulo", "merge": "pair"},
    {"kind": "trace", "file": "trace.txt", "select": {"ids": [1, 2]}, "megabyte": "1 MiB", "loopback": "drop"},
    {"kind": "synthetic", "coflows": 5, "load": 0.6, "max_width": 4, "arrivals": "bursty", "min_bytes": "1 KB",
     "max_bytes": "2 MB", "seed": 7, "background": {"long": [{"from": 0, "to": 1}],
                                                    "poisson": {"per_second": 3, "size": "1 KB", "duration": "2 s"}},
     "faults": [{"at": "2 s", "host": 0, "event": "resume"}, {"at": "1 s", "host": 0, "event": "pause"},
                {"at": "1 s", "link": ["e0", "h0"], "event": "slow", "rate": "1 Mbit/s"},
                {"at": "3 s", "switch": "l0", "event": "crash"}]},
    {"kind": "application", "applications": {"folder": ".", "deadline": "5 s", "commands": [
        {"host": 0, "command": "python3 a.py 'x y'"}, {"hosts": [0, 1], "command": ["cat", 3]}]}},
)  # fmt: skip
EXPERIMENTS: tuple[dict[str, Any], ...] = (
    {"schedulers": ["fair", "sebf", {"name": "dclas", "queues": 10, "first_limit": "1 MB", "sync": "10 ms"}],
     "enforcement": ["pacing", "queue"], "repeats": 2, "seed": 4},
    {"schedulers": [{"name": "dclas", "factor": 4, "sharing": "strict"}], "control": "none", "backends": ["emulation"],
     "enforcement": "queue", "marking": "actor"},
    {"schedulers": ["fifo"], "vary": {"topology.link.rate": ["10 Mbit/s", "20 Mbit/s"], "seed": [1, 2],
                                      "scheduler": ["sebf", {"name": "fifo"}]}, "metering": "per-coflow"},
)  # fmt: skip
TRACE = "3 3\n1 0 2 0 1 1 2:4.0\n2 150 1 1 2 0:1.0 2:2.5\n7 1500.5 1 2 1 1:0.25\n"
WORDS = ("x", "-", "0", "1", "3", "4", "999999999", "1000000000000", "10" * 20, "1e400", "nan", "-1", ":",
         "2:", ":3", "2:4:1", "1:1e-9", "1:1e9", "0:1e308", "2:NaN", "2:-1", "\x00", "é", "1_0", "0x10", "+1", "1.",
         ".5", "a" * 50)  # fmt: skip


def experiment(random: Random) -> tuple[str, list[str]]:
    """The text of an experiment file, and options `--set`."""
    document = {
        "topology": random.choice(TOPOLOGIES),
        "workload": random.choice(WORKLOADS),
        **random.choice(EXPERIMENTS),
    }
    settings = [_setting(random) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    return yaml_text(mangled(document, random), random), settings


def _setting(random: Random) -> str:
    deep = "a" + ".a" * random.choice((1, 39, 40, 5000))
    path = random.choice(("topology.k", "workload.coflows[0].id", "schedulers[1]", "scheduler", "topology.link.rate",
                          "seed", deep, "vary", "workload", "x[999999999]", ".."))  # fmt: skip
    return f"{path}{random.choice(('=', '=', '=', ' ', '=='))}{yaml_text(random.choice(ODD), random)}"


def yaml_text(document: Any, random: Random) -> str:
    """YAML of a document: flow style, at times with an alias, a tag, a key given twice, or bytes changed."""
    text = flow_style(document)
    trick = random.randrange(12)
    if trick == 0:
        text = text.replace("{", "{<<: *a, ", 1)
    elif trick == 1:
        text = f"&a {text}" if random.randrange(2) else text.replace("[", "[&a x, *a, ", 1)
    elif trick == 2:
        text = text.replace(": ", random.choice((": !!python/object:os.system ", ": !!binary ", ": ! ")), 1)
    elif trick == 3:
        text = text.replace(", ", f", {random.choice(('kind', 'seed', 'seed'))}: 1, ", random.choice((1, 2)))
    elif trick == 4 and "[" * 20 not in text:  # its writer has a bound of its own
        text = yaml.safe_dump(document, allow_unicode=bool(random.randrange(2)))
    elif trick == 5:
        text = random.choice(("--- ", "%YAML 9.9\n--- ", "# x\n", "\ufeff", "? ", "- ", "|\n ", "\t")) + text
    return spoiled(text.encode(errors="surrogatepass"), random, one_in=5).decode(errors="replace")


def flow_style(value: Any) -> str:
    """YAML in flow style, of a value that need not be what YAML can say."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow_style(key)}: {flow_style(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_style, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() or c in " ./-_%" else f"\\U{ord(c):08x}" for c in value) + '"'
    return str(value)


def trace(random: Random) -> bytes:
    """The bytes of a trace file: words of a good one replaced, removed, repeated; bytes changed."""
    lines = [line.split(" ") for line in TRACE.splitlines()]
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        line = random.choice(lines)
        at = random.randrange(len(line) + 1)
        what = random.randrange(6)
        if what == 0:
            line.insert(at, random.choice(WORDS))
        elif what == 1:
            line[at : at + 1] = []
        elif what == 2:
            lines.append(list(line))
        elif what == 3:
            line.extend(line[at:] * random.choice((1, 20)))
        else:
            line[at : at + 1] = [random.choice(WORDS)]
    end = random.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n", " \n"))
    return spoiled((end.join(map(" ".join, lines)) + end).encode(errors="replace"), random, one_in=3)
