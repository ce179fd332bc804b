"""Every error the testbed raises on purpose.

    TestbedError                exit status 1
    +-- SpecError               2   a YAML spec, a trace file or an option is wrong
    +-- SchedulerError          1   a scheduler returned something infeasible, or cannot go on
    +-- SimulationError         1   the simulated run cannot progress
    +-- EmulationError          1   the emulated network could not be built, or broke while running
    |   +-- CapabilityError     1   this machine lacks what the plan asks for
    +-- ReplayError             1   an actor, the coordinator or the control channel failed
    +-- RecordsError            1   a run directory is missing, incomplete or unreadable
    +-- CalibrationError        1   the stored calibration is unusable, or says that this machine cannot carry a plan

Messages say where, what was found, what was expected, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100
"""Characters of a wrong name that an error quotes."""


class TestbedError(Exception):
    """Base of all errors with a message meant for the user; `exit_status` is what the command ends with."""

    __test__ = False  # pytest must not take it for a test class
    exit_status = 1


class SpecError(TestbedError):
    """A spec, trace file or command option is wrong. Nothing was started and nothing was written."""

    exit_status = 2


class SchedulerError(TestbedError):
    """A scheduler's allocation is infeasible, not a number, or of the wrong shape; or its name is unknown."""


class SimulationError(TestbedError):
    """The simulator cannot progress, or its input contradicts itself."""


class EmulationError(TestbedError):
    """The emulated network could not be brought up or broke during the run."""


class CapabilityError(EmulationError):
    """This machine lacks a capability that the plan needs."""


class ReplayError(TestbedError):
    """An actor, the coordinator or the control channel failed."""


class RecordsError(TestbedError):
    """A run directory is missing, incomplete or unreadable."""


class CalibrationError(TestbedError):
    """The stored calibration is missing, unreadable or of another machine, or a plan exceeds what it says."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The one wording for an unknown name: the name, the nearest right one if any, and all known ones.

    >>> unknown_name("scheduler", "sbef", ["fair", "sebf"])
    "unknown scheduler 'sbef'; did you mean 'sebf'? known: fair, sebf"
    """
    names = sorted(known)
    text = str(name) if len(str(name)) <= LONGEST_NAME else f"{str(name)[: LONGEST_NAME - 3]}..."
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown {what} '{text}'{hint} known: {', '.join(names)}"


def printable(text: str) -> str:
    """A message as a terminal may show it: what a file has in control characters is spelled out, line ends stay.

    >>> printable("a.yml:1: unknown key '\x1b[2J'")
    "a.yml:1: unknown key '\\x1b[2J'"
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)
