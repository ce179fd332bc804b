"""Schedulers by name: one explicit table, and an entry point group for those of other packages."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from testbed.errors import SchedulerError, unknown_name
from testbed.scheduling.base import Scheduler

GROUP = "coflow_testbed.schedulers"
"""Entry point group of third parties: name = module:Class."""

BUILT_IN: tuple[tuple[str, str], ...] = (
    ("fair", "testbed.scheduling.fair:Fair"),
    ("fair-paced", "testbed.scheduling.fair:FairPaced"),
    ("fair-coflowsim", "testbed.scheduling.fair:FairCoflowSim"),
    ("fifo", "testbed.scheduling.ordered:Fifo"),
    ("scf", "testbed.scheduling.ordered:Scf"),
    ("ncf", "testbed.scheduling.ordered:Ncf"),
    ("lcf", "testbed.scheduling.ordered:Lcf"),
    ("srpt", "testbed.scheduling.srpt:Srpt"),
    ("sebf", "testbed.scheduling.sebf:Sebf"),
    ("wss", "testbed.scheduling.wss:Wss"),
    ("dclas", "testbed.scheduling.dclas:Dclas"),
    ("bssi", "testbed.scheduling.bssi:Bssi"),
)
"""Name -> module:Class. Modules are imported when a scheduler is made, so that listing names costs nothing."""


def _table() -> Mapping[str, str]:
    table: dict[str, str] = {}
    for name, target in (*BUILT_IN, *_of_others(tuple(sys.path))):
        if name in table:
            raise SchedulerError(
                f"scheduler '{name}' is registered twice: {table[name]} and {target}; rename one of them"
            )
        table[name] = target
    return table


@lru_cache(maxsize=8)
def _of_others(_path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Name and module:Class of other packages' schedulers; they are looked for once, as that reads many files."""
    return tuple(sorted((point.name, point.value) for point in entry_points(group=GROUP)))


def known() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(sorted(_table()))


def scheduler_class(name: str) -> type[Scheduler]:
    """The class registered under a name; SchedulerError lists the known ones."""
    table = _table()
    if name not in table:
        raise SchedulerError(unknown_name("scheduler", name, table))
    module, _, attribute = table[name].partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SchedulerError(f"scheduler '{name}': cannot load {table[name]}: {error}") from None
    if not (inspect.isclass(found) and issubclass(found, Scheduler)):
        raise SchedulerError(
            f"scheduler '{name}': {table[name]} is not a subclass of testbed.scheduling.base.Scheduler"
        )
    return found


def parameters(name: str) -> dict[str, Any]:
    """The parameters of a scheduler and their defaults."""
    signature = inspect.signature(scheduler_class(name))
    return {key: value.default for key, value in signature.parameters.items()}


def make(name: str, parameters: dict[str, Any]) -> Scheduler:
    """The scheduler of a name, with parameters in base units; unknown names of either list the known ones."""
    scheduler = scheduler_class(name)
    accepted = inspect.signature(scheduler).parameters
    for key in parameters:
        if key not in accepted:
            raise SchedulerError(
                unknown_name(f"parameter of scheduler {name}", key, accepted)
                if accepted
                else f"scheduler {name} takes no parameters; found '{key}'"
            )
    return scheduler(**parameters)
