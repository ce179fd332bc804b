"""Simulations over processes and machines: Dask's workers take them one by one."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from testbed.display import Display
from testbed.errors import SimulationError, TestbedError
from testbed.records.sweep_folder import SweepFolder
from testbed.runner import run_simulated
from testbed.sweep.points import SweepRun
from testbed.sweep.progress import Progress

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 5.0
"""How long an existing cluster may take to answer, and then to have a worker."""


def simulate_all(
    runs: Sequence[SweepRun], folder: SweepFolder, progress: Progress, client: Client, arguments: Sequence[str]
) -> None:
    """Simulate runs on the cluster of `client`, each into its run directory; a run that fails holds up no other."""
    from distributed import as_completed

    progress.begin()
    root = SweepFolder(folder.path.resolve())
    pending = {
        client.submit(simulate_one, run, root, tuple(arguments), key=f"simulate-{run.key}", pure=False): run
        for run in runs
    }
    for future in as_completed(list(pending)):
        run = pending.pop(future)
        error = future.exception()
        if error is None:
            progress.finished(run)
        else:
            progress.broke(run, _in_words(error))


def simulate_one(run: SweepRun, folder: SweepFolder, arguments: Sequence[str]) -> Path:
    """Simulate one run, in place of what a broken-off attempt at it may have left; returns its run directory."""
    plan = run.plan()
    folder.clear(run.name)
    return run_simulated(plan, folder.runs, Display(Console(quiet=True)), arguments=arguments, name=run.name)


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """So many processes on this machine, reachable over loopback only, gone at the end of the block."""
    import dask
    from distributed import Client, LocalCluster

    settings = {"distributed.scheduler.allowed-failures": 0, "distributed.worker.memory.terminate": False}
    with dask.config.set(settings), _without_interrupts():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes and threads started in this block leave Ctrl-C to the main program."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def existing_cluster(address: str) -> Iterator[Client]:
    """The Dask cluster whose scheduler is at an address such as tcp://10.0.0.1:8786; TestbedError where none is."""
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise TestbedError(
            f"--cluster {address}: no Dask scheduler answers there ({_first_line(error)}); expected the address that "
            "`dask scheduler` prints, such as tcp://10.0.0.1:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise TestbedError(
                f"--cluster {address}: the scheduler there has no workers; start some with `dask worker {address}`"
            ) from None
        yield client


def _in_words(error: BaseException) -> BaseException:
    from distributed import KilledWorker

    if isinstance(error, TestbedError):
        return error
    if isinstance(error, KilledWorker):
        return SimulationError("the process that simulated it was killed, most likely for want of memory")
    return SimulationError(f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> Any:
    return (str(error) or type(error).__name__).splitlines()[0]
