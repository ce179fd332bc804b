"""`testbed run`: run an experiment on its back ends, emulation among them, and show what came out."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from testbed.commands.experiment_options import chosen_single, experiment_options, force_option
from testbed.commands.report import show


@click.command()
@experiment_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), help="Folder of the run directories.")
@click.option("--watch", is_flag=True, help="Serve a page on this machine that shows the emulated runs as they go.")
@click.option("--watch-port", type=click.IntRange(1024, 65535), help="Of that page; any free one by default.")
@force_option
def command(
    experiment: Path,
    scheduler: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path,
    watch: bool,
    watch_port: int | None,
    force: bool,
) -> int:
    """Run EXPERIMENT on the back ends it names: the emulated network (as root) and the simulator.

    Ends with 0 if every run is valid or degraded, with 3 if one is invalid. Refuses, before anything starts, a plan
    that is far above what this machine carries (see `testbed calibrate`).
    """
    from testbed.admission import admitted
    from testbed.display import Display
    from testbed.errors import SpecError
    from testbed.runner import docker, report_folder, run_emulated, run_simulated, what_was_done
    from testbed.watch.watch import watching

    if watch_port is not None and not watch:
        raise SpecError(f"--watch-port {watch_port}: this would have no effect without --watch; add it")
    plans = chosen_single(experiment, scheduler, seed, overrides)
    display = Display()
    if "rate" in plans[0].calibration:
        display.say(plans[0].notes[0])
    simulated = [plan for plan in plans if "simulation" in plan.backends and not plan.applications.programs]
    emulated = [plan for plan in plans if "emulation" in plan.backends]
    if watch and not emulated:
        raise SpecError(f"--watch: shows emulated runs, and {experiment} is only simulated; leave it out")
    emulated = [admitted(plan, display, force) for plan in emulated]
    display.say(f"{experiment}: {len(simulated)} simulated and {len(emulated)} emulated runs")
    directories = [run_simulated(plan, out, display, arguments=sys.argv) for plan in simulated]
    if emulated:
        with contextlib.ExitStack() as stack:
            view = stack.enter_context(watching(watch_port or 0, len(emulated), display.say)) if watch else None
            stack.enter_context(docker(display))
            for plan in emulated:
                directories.append(run_emulated(plan, out, display, arguments=sys.argv, watch=view))
                if plan.applications.programs and "simulation" in plan.backends:
                    done = what_was_done(directories[-1])
                    directories.append(run_simulated(done, out, display, arguments=sys.argv))
    return show(directories, report_folder(out, plans[0]), None, as_json)
