"""Jobs beside the coordinator's loop."""

from __future__ import annotations

import threading

import pytest

from testbed.actor.loop import Loop
from testbed.replay.worker import Worker


def test_jobs_are_done_in_order_in_one_other_thread_and_heard_on_the_loop() -> None:
    loop = Loop()
    threads: list[int] = []
    heard: list[tuple[int, int]] = []

    def work(job: int) -> int:
        threads.append(threading.get_ident())
        return job * job

    def hear(done: int) -> None:
        heard.append((done, threading.get_ident()))
        if len(heard) == 5:
            loop.stop()

    worker = Worker(loop, "squares", work, hear)
    for job in range(5):
        worker.do(job)
    loop.run()
    worker.close()
    worker.close()
    assert heard == [(job * job, threading.get_ident()) for job in range(5)]
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    loop.close()


def test_what_a_job_raises_the_loop_raises() -> None:
    loop = Loop()

    def work(job: str) -> None:
        raise SystemExit(job)

    worker = Worker(loop, "broken", work, lambda _: None)
    worker.do("why")
    with pytest.raises(SystemExit, match="why"):
        loop.run()
    worker.close()
    loop.close()


def test_one_that_had_nothing_to_do_ends_too() -> None:
    loop = Loop()
    before = threading.active_count()
    worker: Worker[int, int] = Worker(loop, "idle", lambda job: job, lambda _: None)
    assert threading.active_count() == before
    worker.close()
    loop.close()
