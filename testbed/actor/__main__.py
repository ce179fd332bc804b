"""Start the actor: `python3 -B /opt/coflow/actor --socket PATH` in a container, `python -m testbed.actor` beside it."""

from __future__ import annotations

import argparse
import gc
import os
import resource
import signal
import sys
import types
from pathlib import Path


def _name_packages() -> None:
    """Make `testbed.actor` importable where only this folder is there, and nothing else of the testbed.

    In a container Python is given the folder, so the modules' own absolute names do not exist yet.
    """
    folder = str(Path(__file__).resolve().parent)
    for name, path in (("testbed", []), ("testbed.actor", [folder])):
        package = types.ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package
    sys.path.remove(sys.path[0])  # the folder itself: each module has one name only


def main() -> None:
    """Listen for a coordinator, one after another, until SIGTERM or its `shutdown`."""
    parser = argparse.ArgumentParser(prog="actor", description="Sends and receives the flows of one emulated host.")
    parser.add_argument(
        "--socket",
        required=True,
        help="where to listen for the coordinator: the path of a unix socket, or ADDRESS:PORT",
    )
    parser.add_argument("--applications", default="", metavar="PATH", help="unix socket for local applications")
    options = parser.parse_args()

    from testbed.actor.program import Actor

    for number in (signal.SIGTERM, signal.SIGINT):  # process 1 has no default action: without this it cannot be ended
        signal.signal(number, lambda *_: os._exit(0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # one descriptor per flow
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection in mid-run is a pause in every flow; nothing here makes cycles while flows run
    Actor(options.socket, options.applications).run()


if __name__ == "__main__":
    if not __package__:
        _name_packages()
    main()
