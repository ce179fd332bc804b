"""Things of the machine that several runs share: a changed sysctl, a daemon that the testbed started.

Each is an entry with users in one file under a lock. The first user makes the change, and writes down before what it
was; the last one undoes it. A user that died no longer counts, so a later run or `testbed clean` takes over.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testbed.emulation import names
from testbed.emulation.owner import Owner

Entry = dict[str, Any]


def _file() -> Path:
    return names.RUNTIME / "shared.json"


@contextmanager
def locked() -> Iterator[dict[str, Entry]]:
    """The entries by key, for this process alone; what the block leaves in the dictionary is written back."""
    names.RUNTIME.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (names.RUNTIME / "shared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read()
        try:
            yield entries
        finally:
            write(entries)


def read() -> dict[str, Entry]:
    """The entries as they were last written."""
    try:
        entries: dict[str, Entry] = json.loads(_file().read_text())
    except FileNotFoundError:
        return {}
    return entries


def write(entries: dict[str, Entry]) -> None:
    """Write entries down now, before acting on them; only inside `locked`."""
    fresh = _file().with_suffix(".new")
    fresh.write_text(json.dumps(entries))
    fresh.replace(_file())


def living_users(entry: Entry) -> list[Entry]:
    """The users whose process still runs."""
    return [user for user in entry["users"] if Owner(**user["owner"]).is_alive()]


def join(key: str, user: str, owner: Owner, describe: Callable[[], Entry], act: Callable[[Entry], None]) -> None:
    """Become a user of an entry; the first one describes it (old value, command line) and then acts.

    `act` also runs for an entry all of whose users are dead: it must find out what is already as it should be.
    """
    with locked() as entries:
        entry = entries.setdefault(key, {"users": [], **describe()} if key not in entries else {})
        entry["users"] = living_users(entry)
        first = not entry["users"]
        entry["users"].append({"user": user, "owner": asdict(owner)})
        write(entries)
        if first:
            act(entry)


def leave(key: str, user: str, undo: Callable[[Entry], None]) -> None:
    """Stop being a user of an entry; where none is left, undo it and forget it. Nothing happens the second time."""
    with locked() as entries:
        entry = entries.get(key)
        if entry is None:
            return
        entry["users"] = [other for other in living_users(entry) if other["user"] != user]
        if not entry["users"]:
            undo(entry)
            del entries[key]
