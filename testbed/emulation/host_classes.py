"""Which class of its host's own interface a flow is in, set from outside: for applications that mark nothing.

A filter per flow, before those that read the DSCP. Each host has a `tc` process that waits in its network namespace
for lines, so that a change costs no start of a program.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence

from testbed.emulation.command import missing_program
from testbed.emulation.containers import HostHandle
from testbed.emulation.port_trees import FIRST_CLASS
from testbed.emulation.wiring import HOST_INTERFACE
from testbed.errors import EmulationError
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey

MOST_FLOWS = 0x7FF
"""At one host: filters that are given a number come before those that tc numbers itself, from 0x800 on."""
_DONE = f"qdisc show dev {HOST_INTERFACE}"
"""Prints some lines, less than tc writes at once: one answer is never taken for the next."""
_DEADLINE_S = 5.0


class HostClasses:
    """The filters of one host's interface. For one thread at a time; close it in the end."""

    def __init__(self, host: HostHandle) -> None:
        self._host = host
        self._numbers: dict[FlowKey, int] = {}
        self._free: list[int] = []
        argv = ["nsenter", "--target", str(host.pid), "--net", "tc", "-batch", "-"]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise missing_program(str(error.filename)) from None

    def change(self, change: Change) -> float:
        """Put flows into classes, or take them out; the seconds that it took. EmulationError with tc's own words."""
        lines = [self._set(flow, dscp) for flow, dscp in change.set_marks.items()]
        lines += [self._remove(flow) for flow in change.remove_marks if flow in self._numbers]
        began = time.monotonic()
        self._tell([*lines, _DONE])
        return time.monotonic() - began

    def close(self) -> None:
        """End the process; the filters stay as they are."""
        self._process.kill()
        self._process.communicate()

    def _set(self, flow: FlowKey, dscp: int) -> str:
        if flow not in self._numbers:
            number = self._free.pop() if self._free else len(self._numbers) + 1
            if number > MOST_FLOWS:
                raise EmulationError(
                    f"host {self._host.name}: more than {MOST_FLOWS} flows at a time to be classed from outside; "
                    "use 'marking: actor'"
                )
            self._numbers[flow] = number
        matches = (
            f"match ip src {flow.source}/32 match ip dst {flow.destination}/32 match ip protocol 6 0xff "
            f"match ip sport {flow.source_port} 0xffff match ip dport {flow.destination_port} 0xffff"
        )
        return f"filter replace {self._place(self._numbers[flow])} u32 {matches} flowid 1:{FIRST_CLASS + dscp:x}"

    def _remove(self, flow: FlowKey) -> str:
        number = self._numbers.pop(flow)
        self._free.append(number)
        return f"filter del {self._place(number)} u32"

    def _place(self, number: int) -> str:
        return f"dev {HOST_INTERFACE} parent 1: protocol ip prio 1 handle 800::{number:x}"

    def _tell(self, lines: Sequence[str]) -> None:
        """Have lines carried out, the last of which prints something."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(("\n".join(lines) + "\n").encode())
        except BrokenPipeError:
            pass  # what it last said tells why
        else:
            if not select.select([stdout], [], [], _DEADLINE_S)[0]:
                raise EmulationError(f"host {self._host.name}: tc did not answer within {_DEADLINE_S:g} s")
            if os.read(stdout.fileno(), 1 << 16):
                return
        self._process.wait()
        words = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        raise EmulationError(f"host {self._host.name}: tc ended: {words.replace(chr(10), '; ')}")
