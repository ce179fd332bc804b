"""The plan: everything a run needs, as pure data, deterministic from spec and seed.

Both back ends read only the plan. One plan is one run: one scheduler, one repeat. It is written to the run directory
before anything starts, as `plan.json`; a flow table of more than `INLINE_FLOWS` rows goes beside it as Parquet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from testbed.coflow import CoflowTable, FlowTable
from testbed.errors import RecordsError
from testbed.fabric import Fabric, Link, Node
from testbed.faults import Fault

FORMAT = 1
INLINE_FLOWS = 50_000
_FLOWS_FILE = "plan-flows.parquet"


@dataclass(frozen=True)
class SchedulerSetting:
    """A scheduler by its registered name, with its parameters in base units (bytes, seconds, plain numbers, words)."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """'dclas(queues=10)': what tables and file names call it."""
        inner = ", ".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                          for key, value in self.parameters.items())  # fmt: skip
        return f"{self.name}({inner})" if inner else self.name


@dataclass(frozen=True)
class TcpSetting:
    """What TCP does inside the emulated hosts; stated, never inherited."""

    congestion: str = "cubic"
    initcwnd: int = 2
    rto_min_s: float = 0.01
    ecn: bool = False
    window_bytes: int | None = None
    """Most that a receiver advertises; None: as much as the kernel will."""


@dataclass(frozen=True)
class HostSetting:
    """Limits of one container."""

    image: str = "coflow-actor"
    memory_bytes: int = 128_000_000
    cpus: float = 1.0


@dataclass(frozen=True)
class Program:
    """A program that a host runs from the start instant on."""

    host: int
    command: tuple[str, ...]


@dataclass(frozen=True)
class ApplicationSetting:
    """Programs whose flows come on top of the planned ones; none by default."""

    folder: str = ""
    """On this machine; every host sees it, read-only, and runs its programs there."""
    programs: tuple[Program, ...] = ()
    deadline_s: float = 60.0
    """Seconds after the start within which all of them must have ended."""


@dataclass(frozen=True)
class Address:
    """A host's addresses. Connecting to `via[c]` from the own `via[c]` takes the path through core (spine) c."""

    host: str
    mac: str
    primary: str
    via: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """One run. Link, flow and host numbers are places in `fabric.links`, `flows` and `fabric.hosts`."""

    experiment: str
    """Its name, with the point where it varies fields: 'quickstart', 'sweep-load(load=0.3)'."""
    topology: str
    workload: str
    scheduler: SchedulerSetting
    seed: int
    repeat: int
    fabric: Fabric
    addresses: tuple[Address, ...]
    coflows: CoflowTable
    flows: FlowTable
    ecmp: str = "per-flow"
    """per-flow, hash or single-path."""
    queueing: str = "fifo"
    """What each class of a port has: fifo, one queue for all flows, or per-flow, one for each, taking turns."""
    datapath: str = "auto"
    enforcement: tuple[str, ...] = ("pacing",)
    metering: str = "per-flow"
    """What of `enforcement: meter` has a meter: per-flow, or per-coflow (and edge switch)."""
    marking: str = "actor"
    """Who marks packets with the class of `enforcement: queue`: the actor, or from outside the edge."""
    control: str = "out-of-band"
    backends: tuple[str, ...] = ("emulation", "simulation")
    unlabelled_class: str = "top"
    tcp: TcpSetting = TcpSetting()
    host: HostSetting = HostSetting()
    applications: ApplicationSetting = ApplicationSetting()
    faults: tuple[Fault, ...] = ()
    """In the order in which they happen."""
    spec: dict[str, Any] = field(default_factory=dict)
    """The experiment as it was read, defaults filled in: what a reader needs to repeat the run."""
    calibration: dict[str, Any] = field(default_factory=dict)
    """Figures of this machine that decided something: `rate` (link.rate auto), `admission`. Empty where none did."""
    notes: tuple[str, ...] = ()
    """What planning changed or dropped, in words (loopback flows dropped, ports folded, ...)."""

    def with_scheduler(self, scheduler: SchedulerSetting) -> Plan:
        """The same plan under another scheduler."""
        return replace(self, scheduler=scheduler)

    def write(self, directory: Path) -> Path:
        """Write plan.json (and the flow table beside it where it is large) into an existing directory."""
        document = self.document()
        if len(self.flows) > INLINE_FLOWS:
            _write_flow_columns(directory / _FLOWS_FILE, document["flows"])
            document["flows"] = {"file": _FLOWS_FILE, "rows": len(self.flows)}
        path = directory / "plan.json"
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS))
        return path

    def document(self) -> dict[str, Any]:
        """The plan as plain data; tables are columns (`flows.src[i]` is the sender of flow i)."""
        document = {key: value for key, value in self.__dict__.items() if key not in ("fabric", "coflows", "flows")}
        document["format"] = FORMAT
        for key in ("scheduler", "tcp", "host", "applications"):
            document[key] = asdict(document[key])
        document["faults"] = [asdict(fault) for fault in self.faults]
        document["addresses"] = [asdict(address) for address in self.addresses]
        document["fabric"] = {
            "kind": self.fabric.kind,
            "mtu": self.fabric.mtu,
            "nodes": [asdict(node) for node in self.fabric.nodes],
            "links": [asdict(link) for link in self.fabric.links],
        }
        document["coflows"] = dict(self.coflows.__dict__)
        document["flows"] = dict(self.flows.__dict__)
        return document


def read_plan(directory: Path) -> Plan:
    """The plan of a run directory; RecordsError where it is missing or of another format."""
    path = directory / "plan.json"
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordsError(f"{path}: no such file; expected a run directory with the plan it ran") from None
    except orjson.JSONDecodeError as error:
        raise RecordsError(f"{path}: not readable as JSON ({error})") from None
    if document.pop("format", None) != FORMAT:
        raise RecordsError(f"{path}: plan format is not {FORMAT}; it was written by another version of the testbed")
    if "file" in document["flows"]:
        document["flows"] = _read_flow_columns(directory / _FLOWS_FILE)  # whatever it says: nothing outside is read
    fabric = document.pop("fabric")
    scalars: dict[str, Any] = {}
    tables = ("scheduler", "tcp", "host", "applications", "faults", "addresses", "coflows", "flows")
    for key in [key for key in document if key not in tables]:
        value = document.pop(key)
        scalars[key] = tuple(value) if isinstance(value, list) else value
    return Plan(
        fabric=Fabric(
            kind=fabric["kind"],
            mtu=fabric["mtu"],
            nodes=tuple(Node(**node) for node in fabric["nodes"]),
            links=tuple(Link(**link) for link in fabric["links"]),
        ),
        scheduler=SchedulerSetting(**document.pop("scheduler")),
        tcp=TcpSetting(**document.pop("tcp")),
        host=HostSetting(**document.pop("host")),
        applications=_applications(document.pop("applications", {})),
        faults=tuple(Fault(**{**f, "nodes": tuple(f["nodes"])}) for f in document.pop("faults", ())),
        addresses=tuple(Address(**{**a, "via": tuple(a["via"])}) for a in document.pop("addresses")),
        coflows=CoflowTable(**_columns(document.pop("coflows"), floats={"arrival_s", "weight", "deadline_s"})),
        flows=FlowTable(**_columns(document.pop("flows"), floats={"start_s"})),
        **scalars,
    )


def _applications(table: dict[str, Any]) -> ApplicationSetting:
    programs = tuple(Program(one["host"], tuple(one["command"])) for one in table.pop("programs", ()))
    return ApplicationSetting(programs=programs, **table)


def _columns(table: dict[str, Any], floats: set[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, column in table.items():
        if name == "after":
            columns[name] = {int(key): tuple(value) for key, value in column.items()}
        elif name == "delay_s":
            columns[name] = {int(key): value for key, value in column.items()}
        else:  # NaN is written as null
            columns[name] = np.array(column, dtype=np.float64 if name in floats else np.int64)
    return columns


def _write_flow_columns(path: Path, flows: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pointers = flows["path_ptr"]
    paths = pa.ListArray.from_arrays(pa.array(pointers, pa.int32()), pa.array(flows["path_links"], pa.int32()))
    plain = {name: column for name, column in flows.items() if isinstance(column, np.ndarray)}
    del plain["path_ptr"], plain["path_links"]
    sparse = {name: flows[name] for name in ("after", "delay_s")}
    table = pa.table({**plain, "path": paths})
    table = table.replace_schema_metadata({"sparse": orjson.dumps(sparse, option=orjson.OPT_NON_STR_KEYS)})
    pq.write_table(table, path)


def _read_flow_columns(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RecordsError(f"{path}: the table of flows cannot be read ({str(error).splitlines()[0]})") from None
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in table.column_names if name != "path"}
    paths = table["path"].combine_chunks()
    columns["path_ptr"] = paths.offsets.to_numpy()
    columns["path_links"] = paths.values.to_numpy()
    columns.update(orjson.loads(table.schema.metadata[b"sparse"]))
    return columns
