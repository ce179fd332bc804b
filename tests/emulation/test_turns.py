"""Short turns as the kernel has them, read back from it; a machine type it is not built for comes from setarch(8)."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.emulation.turns import TURN_NS, shorten_turns

ROOT = Path(__file__).parent.parent.parent
_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
_LAYOUT = struct.Struct("=IIQiIQQQ")
"""sched_attr of sched_getattr(2): size, policy, flags, nice, priority, runtime, deadline, period."""

built_for = pytest.mark.skipif(
    os.uname().machine not in _SCHED_GETATTR, reason="no system call number for this machine"
)


def scheduling(pid: int) -> tuple[int, int, int]:
    """(policy, nice, length of a turn in ns) of a process; a kernel older than 6.12 says 0 for the last."""
    buffer = ctypes.create_string_buffer(_LAYOUT.size)
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(_SCHED_GETATTR[os.uname().machine], pid, buffer, _LAYOUT.size, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _, policy, _, nice, _, turn_ns, _, _ = _LAYOUT.unpack(buffer.raw)
    return policy, nice, turn_ns


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(3)]
    yield started
    for child in started:
        child.kill()
        child.wait()


@built_for
def test_the_turns_of_the_named_are_short_and_of_no_other(children: list[subprocess.Popen[bytes]]) -> None:
    named, other = [child.pid for child in children[:2]], children[2].pid
    before = scheduling(other)
    assert shorten_turns(iter(named))
    policy, nice, own_ns = before
    short_ns = TURN_NS if own_ns else 0  # an old kernel takes the wish, and nothing changes
    assert [scheduling(pid) for pid in named] == [(policy, nice, short_ns)] * 2
    assert scheduling(other) == before


@built_for
def test_of_one_that_is_gone_it_is_said_and_the_others_have_theirs(children: list[subprocess.Popen[bytes]]) -> None:
    gone, first, last = children
    gone.kill()
    gone.wait()
    assert not shorten_turns([first.pid, gone.pid, last.pid])
    assert scheduling(first.pid) == scheduling(last.pid)
    assert scheduling(last.pid)[2] in (TURN_NS, 0)


@built_for
@pytest.mark.skipif(shutil.which("setarch") is None, reason="needs setarch")
def test_on_a_machine_it_has_no_number_for_nothing_is_asked(children: list[subprocess.Popen[bytes]]) -> None:
    pid = children[0].pid
    before = scheduling(pid)
    other = {"x86_64": "i686", "aarch64": "armv8l"}[os.uname().machine]
    code = (
        "import os\nfrom testbed.emulation.turns import shorten_turns\n"
        f"print(os.uname().machine, shorten_turns([{pid}]))"
    )
    asked = subprocess.run(["setarch", other, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (asked.stdout, asked.stderr) == (f"{other} False\n", "")
    assert scheduling(pid) == before
