"""Network namespaces other than the testbed's own, named by a process in them or by a file that holds them."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from testbed.errors import EmulationError

Netns: TypeAlias = int | Path
"""The number of a process in the namespace, or a file that `ip netns` bound it to."""
NAMED = Path("/run/netns")
"""Where `ip netns` keeps its files."""

_CLONE_NEWNET = 0x40000000

Result = TypeVar("Result")


def netns_file(namespace: Netns) -> Path:
    """What setns(2) and nsenter take."""
    return namespace if isinstance(namespace, Path) else Path(f"/proc/{namespace}/ns/net")


def inside(namespace: Netns, action: Callable[[], Result]) -> Result:
    """The result of an action carried out in a namespace; what it raises goes through.

    Sockets and files of /proc that it opens stay in that namespace afterwards. It runs in a thread of its own, which
    ends with it: no other thread of the testbed ever leaves the namespace it is in.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def enter_and_act() -> None:
        try:
            _enter(namespace)
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter_and_act, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(namespace: Netns) -> None:
    """Move the calling thread into a namespace; EmulationError where it is gone."""
    try:
        file = os.open(netns_file(namespace), os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(file, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns refused")
        finally:
            os.close(file)
    except OSError as error:
        if isinstance(namespace, Path):
            raise EmulationError(f"network namespace {namespace}: {error}; was it deleted?") from None
        raise EmulationError(f"network namespace of process {namespace}: {error}; has its container ended?") from None
