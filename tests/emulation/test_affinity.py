from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from testbed.emulation.affinity import kept_apart


@pytest.fixture
def children() -> Iterator[list[int]]:
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
    yield [child.pid for child in started]
    for child in started:
        child.kill()
        child.wait()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_the_forwarding_thread_has_a_processor_of_its_own(children: list[int]) -> None:
    mine = os.sched_getaffinity(0)
    forwarding, other = children
    with kept_apart(forwarding, [other]) as processor:
        assert os.sched_getaffinity(forwarding) == {processor}
        assert os.sched_getaffinity(other) == os.sched_getaffinity(0) == mine - {processor}
    assert os.sched_getaffinity(0) == mine


def test_without_a_forwarding_thread_nothing_changes(children: list[int]) -> None:
    mine = os.sched_getaffinity(0)
    with kept_apart(None, children) as processor:
        assert processor is None
        assert os.sched_getaffinity(0) == mine
    assert all(os.sched_getaffinity(child) == mine for child in children)
