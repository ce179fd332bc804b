"""Programs that an experiment runs in its hosts: started with the replay's clock, their output kept, waited for."""

from __future__ import annotations

import shlex
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from testbed.errors import ReplayError
from testbed.plan import ApplicationSetting
from testbed.replay.actor_link import ActorLink
from testbed.replay.crew import Crew

APPLICATION_FOLDER = "/opt/coflow/application"
"""Where a container sees the folder of the experiment's programs; they run there."""
LIBRARY = "/opt/coflow/lib"
"""Where a container has the package `testbed.client`."""
_TAIL = 600
_ENVIRONMENT = {"PYTHONPATH": LIBRARY, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Programs:
    """The programs of a plan. `folder` is where they run, as the hosts see it; `logs` gets a file for each."""

    def __init__(self, setting: ApplicationSetting, crew: Crew, folder: str, logs: Path | None) -> None:
        self._setting = setting
        self._crew = crew
        self._folder = folder
        self._logs = logs
        self._status: dict[int, int] = {}
        self._tail: defaultdict[int, str] = defaultdict(str)
        self._begun = False

    @property
    def running(self) -> bool:
        """Whether any has yet to end."""
        return self._begun and len(self._status) < len(self._setting.programs)

    def start(self, start_ns: int) -> None:
        """Have all of them started at an instant; ReplayError from the loop where one has not ended in time."""
        self._begun = True
        for number, program in enumerate(self._setting.programs):
            self._crew.links[program.host].tell(
                {"op": "run", "job": number, "command": program.command, "folder": self._folder, "at_ns": start_ns,
                 "environment": _ENVIRONMENT}
            )  # fmt: skip
        if self.running:
            due_ns = start_ns + int(self._setting.deadline_s * 1e9)
            self._crew.loop.call_at(max(due_ns, time.monotonic_ns()), self._too_late)

    def on_output(self, _link: ActorLink, rows: list[tuple[int, str]]) -> None:
        """Programs have printed something."""
        for number, text in rows:
            self._known(number)
            self._tail[number] = (self._tail[number] + text)[-_TAIL:]
            if self._logs is not None:
                self._write(self._logs / self._log_name(number), text)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as log:
                log.write(text)
        except OSError as error:
            raise ReplayError(
                f"{path}: cannot be written ({error.strerror}); expected room and permission there"
            ) from None

    def on_exited(self, _link: ActorLink, rows: list[tuple[int, int]]) -> None:
        """Programs have ended."""
        for number, status in rows:
            self._known(number)
            self._status[number] = status

    def _known(self, number: int) -> None:
        if number >= len(self._setting.programs):
            raise ValueError(f"program {number}; there are {len(self._setting.programs)}")

    def check(self) -> None:
        """ReplayError names the first program that did not end well."""
        for number, status in sorted(self._status.items()):
            if status:
                how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
                raise ReplayError(f"{self._words(number)} {how}{self._printed(number)}")

    def facts(self) -> list[dict[str, Any]]:
        """Host, command and exit status of each."""
        return [
            {"host": program.host, "command": list(program.command), "status": self._status.get(number)}
            for number, program in enumerate(self._setting.programs)
        ]

    def _too_late(self) -> None:
        if self.running:
            self.check()  # one that failed may be what the others wait for
            number = next(n for n in range(len(self._setting.programs)) if n not in self._status)
            raise ReplayError(
                f"{self._words(number)} has not ended within {self._setting.deadline_s:g} s "
                f"(applications.deadline){self._printed(number)}"
            )

    def _words(self, number: int) -> str:
        program = self._setting.programs[number]
        return f"host {self._crew.links[program.host].host}: application '{shlex.join(program.command)}'"

    def _printed(self, number: int) -> str:
        tail = self._tail[number].strip()
        where = f" (all of it: {self._logs / self._log_name(number)})" if self._logs is not None else ""
        return f"; it printed{where}:\n  " + tail.replace("\n", "\n  ") if tail else "; it printed nothing"

    def _log_name(self, number: int) -> str:
        host = self._crew.links[self._setting.programs[number].host].host
        return f"application-{number}-{host}.log"
