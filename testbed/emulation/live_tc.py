"""A `tc` process that waits inside a network namespace for lines, so that a change costs no start of a program."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence

from testbed.emulation.command import missing_program
from testbed.emulation.netns import Netns, netns_file
from testbed.errors import EmulationError

_DEADLINE_S = 5.0


class LiveTc:
    """For one thread at a time; close it in the end."""

    def __init__(self, who: str, namespace: Netns, answer: str) -> None:
        """`who` is what errors begin with. `answer` is the command that ends every batch.

        It prints some lines, less than tc writes at once: one answer is never taken for the next.
        """
        self._who = who
        self._answer = answer
        try:
            self._process = subprocess.Popen(
                ["nsenter", f"--net={netns_file(namespace)}", "tc", "-batch", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise missing_program(str(error.filename)) from None

    def tell(self, lines: Sequence[str]) -> float:
        """Have lines carried out; the seconds that it took. EmulationError with tc's own words."""
        began = time.monotonic()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(("\n".join([*lines, self._answer]) + "\n").encode())
        except BrokenPipeError:
            pass  # what it last said tells why
        else:
            if not select.select([stdout], [], [], _DEADLINE_S)[0]:
                raise EmulationError(f"{self._who}: tc did not answer within {_DEADLINE_S:g} s")
            if os.read(stdout.fileno(), 1 << 16):
                return time.monotonic() - began
        self._process.wait()
        words = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        raise EmulationError(f"{self._who}: tc ended: {words.replace(chr(10), '; ')}")

    def close(self) -> None:
        """End the process; what it has set stays."""
        self._process.kill()
        self._process.communicate()
