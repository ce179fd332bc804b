"""Models of the programs that a workload runs inside the emulated hosts."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from testbed.spec.quantities import Duration, Host, shown
from testbed.spec.validation import Spec

MAX_PROGRAMS = 1000


def _words(value: Any) -> Any:
    """'python3 x.py 2' as a shell would split it; or a list of words and numbers."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"{str(error).lower()} in {shown(value)}; expected a command") from None
    if not isinstance(value, list) or not value or any(isinstance(w, (bool, dict, list)) or w is None for w in value):
        raise ValueError(
            f"expected a command such as 'python3 mapper.py 2' or a list of its words, found {shown(value)}"
        )
    words = [str(word) for word in value]
    if any("\0" in word for word in words):
        raise ValueError("a null character in the command; no program can be given one")
    return words


class ProgramSpec(Spec):
    """One command, on one host or on each of several."""

    host: Host | None = None
    hosts: tuple[Host, ...] = ()
    command: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(description="a command and its arguments")

    @model_validator(mode="after")
    def _somewhere(self) -> ProgramSpec:
        if (self.host is None) == (not self.hosts):
            raise ValueError("expected 'host' with a host number, or 'hosts' with a list of them")
        return self

    @property
    def places(self) -> tuple[int, ...]:
        """The hosts it runs on."""
        return self.hosts if self.host is None else (self.host,)


class ApplicationsSpec(Spec):
    """Programs that start with the run. They see `folder` (read-only, relative to this file) and run in it."""

    commands: tuple[ProgramSpec, ...] = Field(description="a list of {host: 0, command: python3 mapper.py}")
    folder: str = "."
    deadline: Duration = 60.0

    @field_validator("commands")
    @classmethod
    def _some(cls, commands: tuple[ProgramSpec, ...]) -> tuple[ProgramSpec, ...]:
        count = sum(len(command.places) for command in commands)
        if not 1 <= count <= MAX_PROGRAMS:
            raise ValueError(f"found {count} commands; expected 1 to {MAX_PROGRAMS}")
        return commands
