"""A machine that is paused in mid-run: nobody is blamed for it, and the run says how long it was."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import numpy as np
from replay_rig import PORT, Actors, F, build_plan

from testbed.replay.replay import replay
from testbed.scheduling.base import Allocation, Scheduler, View

PAUSE_S = 1.5


class Pausing(Scheduler):
    """Stops the actors, and when a ping has been due for a while, everything else too; then all goes on."""

    name = "pausing"

    def __init__(self, send: Callable[[signal.Signals], None]) -> None:
        self._send = send
        self._asked = 0

    def allocate(self, view: View) -> Allocation:
        again_s = np.inf
        if view.now_s > 0:
            self._asked += 1
            if self._asked == 1:
                self._send(signal.SIGSTOP)
                again_s = view.now_s + 0.6
            if self._asked == 2:
                time.sleep(PAUSE_S)  # not a wait for anything: the pause itself
                self._send(signal.SIGCONT)
        else:
            again_s = 0.3
        flows = len(view.flow)
        queue, order = np.zeros(flows, dtype=np.int64), np.arange(len(view.coflow))
        return Allocation(np.full(flows, 1e6), queue, order, ask_again_s=again_s)


def test_a_pause_of_the_machine_is_no_actors_fault(actors: Actors) -> None:
    cast = actors(2)

    def send(number: signal.Signals) -> None:
        for process in cast.processes:
            process.send_signal(number)

    plan = build_plan(2, [F(1, 0, 1, 1_000_000)])
    outcome = replay(plan, cast.sockets, scheduler=Pausing(send), port=PORT)
    assert outcome.reason == [""]
    assert outcome.facts["coordinator_stall_max_s"] > 0.6 * PAUSE_S
