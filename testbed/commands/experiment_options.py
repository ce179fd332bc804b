"""The options that every command on an experiment shares, and the plans they choose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from testbed.fidelity.verdict import DEGRADED, INVALID

if TYPE_CHECKING:
    from testbed.plan import Plan
    from testbed.spec.reader import Experiment

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SHARED = (
    click.argument("experiment", type=click.Path(path_type=Path)),
    click.option("--scheduler", help="This scheduler only."),
    click.option("--seed", type=click.IntRange(0), help="In place of the experiment's seed."),
    click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Override a field of any spec."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


again_option = click.option(
    "--again",
    type=click.Choice([DEGRADED, INVALID]),
    multiple=True,
    help="Make finished runs with this verdict again, in place of those that are there.",
)
force_option = click.option("--force", is_flag=True, help="Emulate also what is far above what this machine carries.")


def experiment_options(function: _Function) -> _Function:
    """Decorate a command with EXPERIMENT, --scheduler, --seed, --set and --json."""
    for option in reversed(_SHARED):
        function = option(function)
    return function


def chosen_plans(experiment: Path, scheduler: str | None, seed: int | None, overrides: tuple[str, ...]) -> list[Plan]:
    """The plans of every combination of what an experiment varies, under these options; SpecError for what is wrong."""
    from testbed.planning import make_plans

    return list(make_plans(_chosen(experiment, scheduler, overrides), seed=seed))


def chosen_single(experiment: Path, scheduler: str | None, seed: int | None, overrides: tuple[str, ...]) -> list[Plan]:
    """The plans of an experiment that varies nothing; SpecError says how a sweep is run."""
    from testbed.errors import SpecError
    from testbed.planning import make_plans

    read = _chosen(experiment, scheduler, overrides)
    if varied := _varied(read):
        combinations = "1 combination" if len(read.variants) == 1 else f"{len(read.variants)} combinations"
        raise SpecError(
            f"{experiment}: varies {', '.join(varied)} ({combinations}), which `testbed sweep {experiment}` runs; "
            "--set vary={} runs the experiment without"
        )
    return list(make_plans(read, seed=seed))


def chosen_sweep(experiment: Path, scheduler: str | None, seed: int | None, overrides: tuple[str, ...]) -> Experiment:
    """The experiment whose every combination is run; SpecError where it varies nothing, or an option is for naught."""
    from testbed.errors import SpecError

    read = _chosen(experiment, scheduler, overrides)
    varied = _varied(read)
    if not varied:
        form = "vary: {FIELD: [VALUE, ...]}"
        raise SpecError(f"{experiment}: varies nothing; expected {form} in it, or --set '{form.replace(': {', '={')}'")
    given = {text.partition("=")[0].strip(): f"--set {text}" for text in overrides}
    given |= {"scheduler": f"--scheduler {scheduler}"} if scheduler else {}
    given |= {"seed": f"--seed {seed}"} if seed is not None else {}
    for field, option in given.items():
        if field in varied:
            raise SpecError(f"{option}: the experiment varies {field}, so this would have no effect; leave it out")
    return read


def _chosen(experiment: Path, scheduler: str | None, overrides: tuple[str, ...]) -> Experiment:
    from testbed.spec.reader import load_experiment

    return load_experiment(experiment, [*overrides, *([f"scheduler={scheduler}"] if scheduler else [])])


def _varied(experiment: Experiment) -> list[str]:
    return list(experiment.variants[0].values)
