from __future__ import annotations

import os
import time

from testbed.emulation.processors import ProcessorMeter


def burn(cpu_s: float) -> None:
    until = time.process_time() + cpu_s
    while time.process_time() < until:
        pass


def test_own_work_is_not_foreign() -> None:
    meter = ProcessorMeter([os.getpid()])
    burn(0.3)
    shares = meter.read()
    assert shares.own > 0
    assert all(0 <= share <= 1 for share in (shares.idle, shares.steal, shares.own, shares.foreign))


def test_work_of_a_process_that_is_not_ours_is_foreign() -> None:
    meter = ProcessorMeter([])
    burn(0.3)
    shares = meter.read()
    assert shares.own == 0
    assert shares.foreign > 0


def test_a_process_that_ended_is_left_out() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert ProcessorMeter([child]).read().own == 0
