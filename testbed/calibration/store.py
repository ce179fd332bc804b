"""The stored calibration: one JSON file with what was measured, when, and on what machine.

`COFLOW_CALIBRATION` names another file in its place (to plan here for a machine elsewhere); where it is
empty, none is used.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from testbed.calibration.model import Cost
from testbed.errors import CalibrationError

FORMAT = 1
VARIABLE = "COFLOW_CALIBRATION"
SYSTEM_FOLDER = Path("/var/cache/coflow-testbed")
NAME = "calibration.json"
REMEDY = "run `testbed calibrate` (as root)"


@dataclass(frozen=True)
class Point:
    """One measurement: what a datapath forwarded while it was offered more than it can."""

    mtu: int
    rate_bps: float
    """Of every link."""
    frames_in_segment: int
    goodput_bps: float
    """TCP payload that arrived, all hosts together."""
    offered: float
    """Share of the links' goodput that arrived: well below 1, else the datapath was not at its limit."""
    frame_hops_per_s: float
    byte_hops_per_s: float
    round_trip_s: float
    """Median of the probe under that load."""
    foreign: float
    """Share of the processors that other programs used meanwhile."""


@dataclass(frozen=True)
class Datapath:
    """What one datapath costs, and the measurements that say so."""

    cost: Cost
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Machine:
    """What tells whether figures are of this machine."""

    kernel: str
    cpu: str
    cores: int

    def __str__(self) -> str:
        return f"kernel {self.kernel}, {self.cores} cores of {self.cpu}"


@dataclass(frozen=True)
class Calibration:
    """What one machine carries."""

    date: str
    """ISO 8601, UTC."""
    versions: dict[str, str]
    machine: Machine
    topology: str
    """That the datapaths were measured on."""
    datapaths: dict[str, Datapath]
    """By name: ovs-user, ovs-kernel, router."""
    timer_lag_s: dict[str, float]
    """How late a sleep ends: its median and its 99th percentile, on the idle machine."""
    container_start_s: float
    """Per host, as many are started at a time."""
    host_memory_bytes: int
    """What the machine has less of per host of a network that is up, switches included."""

    def datapath_of(self, wanted: str) -> str:
        """What a topology's `datapath` means here. CalibrationError where that one was not measured."""
        name = wanted
        if wanted == "auto":
            name = next((name for name in ("ovs-kernel", "ovs-user") if name in self.datapaths), "ovs-user")
        if name not in self.datapaths:
            raise CalibrationError(
                f"the calibration of {self.date} has no figures of datapath {name}; "
                f"run `testbed calibrate --datapath {name}` (as root)"
            )
        return name

    def beside(self, earlier: Calibration | None) -> Calibration:
        """This one, with the datapaths that only an earlier one of the same machine has."""
        if earlier is None or earlier.machine != self.machine:
            return self
        return replace(self, datapaths={**earlier.datapaths, **self.datapaths})

    @property
    def origin(self) -> str:
        """How notes and messages name it."""
        return f"calibration of {self.date[:10]}"

    def document(self) -> dict[str, Any]:
        """As plain data; the keys carry the units."""
        return {"format": FORMAT, **asdict(self)}


def folders() -> tuple[Path, Path]:
    """Where a calibration is kept: the machine's folder, and the user's where that cannot be written."""
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return SYSTEM_FOLDER, Path(user) / "coflow-testbed"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return Machine(platform.release(), cpu, len(os.sched_getaffinity(0)))


def stored_path() -> Path | None:
    """The file that holds for this user, None where there is none."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    return next((path for folder in folders() if (path := folder / NAME).is_file()), None)


def stored() -> Calibration | None:
    """The calibration of this machine, None where none was made.

    CalibrationError where the file is unreadable, of another format, or of another machine; the one that
    COFLOW_CALIBRATION names may be of any machine, and must be there.
    """
    path = stored_path()
    if path is None:
        return None
    found = read(path)
    here = this_machine()
    if VARIABLE not in os.environ and found.machine != here:
        raise CalibrationError(
            f"{path}: was measured on another machine ({found.machine}); this one has {here}; {REMEDY}"
        )
    return found


def read(path: Path) -> Calibration:
    """The calibration in a file; CalibrationError says what is wrong with it."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None
    except orjson.JSONDecodeError as error:
        raise CalibrationError(f"{path}: not readable as JSON ({error}); {REMEDY}") from None
    found = document.pop("format", None) if isinstance(document, dict) else None
    if found != FORMAT:
        raise CalibrationError(
            f"{path}: format {found}, expected {FORMAT}: written by another version of the testbed; {REMEDY}"
        )
    try:
        return _calibration(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CalibrationError(f"{path}: damaged ({type(error).__name__}: {error}); {REMEDY}") from None


def write(calibration: Calibration) -> Path:
    """Store a calibration, whole or not at all; returns its file. CalibrationError where no folder can be written."""
    data = orjson.dumps(calibration.document(), option=orjson.OPT_INDENT_2)
    refused = []
    for folder in folders():
        path = folder / NAME
        fresh = path.with_name(f".{NAME}.{os.getpid()}")
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            fresh.write_bytes(data)
            fresh.replace(path)
        except OSError as error:
            refused.append(f"{path}: cannot be written ({error.strerror})")
            continue
        return path
    raise CalibrationError("; ".join(refused))


def _calibration(document: dict[str, Any]) -> Calibration:
    machine = Machine(**document.pop("machine"))
    datapaths = {name: _datapath(one) for name, one in document.pop("datapaths").items()}
    return Calibration(machine=machine, datapaths=datapaths, **document)


def _datapath(document: dict[str, Any]) -> Datapath:
    cost = Cost(**{name: float(value) for name, value in document["cost"].items()})
    _require_positive(cost.frame_s + cost.byte_s, cost.frame_s, cost.byte_s)
    return Datapath(cost, tuple(Point(**point) for point in document["points"]))


def _require_positive(total: float, *parts: float) -> None:
    if not total > 0 or not all(part >= 0 for part in parts):
        raise ValueError(f"costs {', '.join(f'{part:g}' for part in parts)} s; expected none below 0 and one above")
