"""`testbed plan`: what an experiment will run, printed or written; nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from testbed.commands.experiment_options import chosen_plans, experiment_options
from testbed.errors import SpecError

if TYPE_CHECKING:
    from testbed.calibration.admission import Admission
    from testbed.plan import Plan

SIMULATED_FLOWS = 200_000
"""Of all plans together: with more, a prediction of when they run would take minutes, and they are taken at worst."""


@click.command()
@experiment_options
@click.option("--out", type=click.Path(path_type=Path), help="Write the plans into this folder, or one plan to X.json.")
def command(
    experiment: Path,
    scheduler: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
) -> None:
    """Print the plan of EXPERIMENT and how much of this machine it takes, or write it with --out."""
    plans = chosen_plans(experiment, scheduler, seed, overrides)
    if out is not None:
        _write(plans, out)
    _print(plans, as_json)
    if out is not None and not as_json:
        from testbed.commands.plan_summary import counted

        click.echo(f"{counted(len(plans), 'plan')} written to {out}")


def _print(plans: list[Plan], as_json: bool) -> None:
    from testbed.calibration.admission import in_words as admission_in_words
    from testbed.commands.plan_summary import in_words, summarise

    admissions = _admissions(plans)
    summaries: dict[int, dict[str, Any]] = {}
    for plan in plans:  # plans of one repeat share their tables
        if id(plan.flows) not in summaries:
            summaries[id(plan.flows)] = summarise(plan)
    runs = [
        {
            "experiment": plan.experiment,
            "scheduler": plan.scheduler.title,
            "repeat": plan.repeat,
            "seed": plan.seed,
            "varied": plan.spec.get("varied", {}),
            **summaries[id(plan.flows)],
            "admission": None if admission is None else admission.document(),
        }
        for plan, admission in zip(plans, admissions, strict=True)
    ]
    if as_json:
        import orjson

        click.echo(orjson.dumps(runs, option=orjson.OPT_INDENT_2).decode())
        return
    lines = [("experiment", plans[0].experiment), *in_words(summaries[id(plans[0].flows)])]
    emulated = [admission for admission in admissions if admission is not None]
    if emulated:
        # The one that asks the most stands for all; each has its own share in the table of runs.
        lines += admission_in_words(max(emulated, key=lambda admission: admission.busiest or 0.0))
    _console().print(_key_values(lines))
    _console().print(_runs(runs))


def _admissions(plans: list[Plan]) -> list[Admission | None]:
    """What each emulated plan asks of this machine; None for plans that are only simulated."""
    from testbed.admission import admission

    simulates = sum(len(plan.flows) for plan in plans) <= SIMULATED_FLOWS
    return [admission(plan, simulates) if "emulation" in plan.backends else None for plan in plans]


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    return console


def _key_values(lines: list[tuple[str, str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for key, value in lines:
        table.add_row(Text(key, style="bold"), Text(value))
    return table


def _runs(runs: list[dict[str, Any]]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from testbed.commands.plan_summary import counted
    from testbed.units import format_size, format_time

    table = Table(title=counted(len(runs), "run"), box=box.SIMPLE, title_justify="left")
    table.add_column("scheduler")
    for column in ("repeat", "seed", "coflows", "flows", "bytes", "busiest link", "load"):
        table.add_column(column, justify="right")
    varied = list(runs[0]["varied"])
    for key in varied:
        table.add_column(key)
    for run in runs:
        table.add_row(
            Text(run["scheduler"]),
            str(run["repeat"]),
            str(run["seed"]),
            str(run["coflows"]),
            str(run["flows"]),
            format_size(run["bytes"]),
            format_time(run["busiest_link_s"]),
            _load(run["admission"]),
            *(Text(str(run["varied"][key])) for key in varied),
        )
    return table


def _load(admission: dict[str, Any] | None) -> str:
    """Share of what the machine carries, in the busiest second."""
    return "-" if admission is None or admission["busiest"] is None else f"{admission['busiest']:.0%}"


def _write(plans: list[Plan], out: Path) -> None:
    try:
        if out.suffix == ".json":
            _write_one(plans, out)
            return
        out.mkdir(parents=True, exist_ok=True)
        for number, plan in enumerate(plans):
            folder = out if len(plans) == 1 else out / f"{number:03d}-{plan.scheduler.name}-{plan.repeat}"
            folder.mkdir(exist_ok=True)
            plan.write(folder)
    except OSError as error:
        raise SpecError(f"--out {out}: cannot be written ({error.strerror or error})") from None


def _write_one(plans: list[Plan], out: Path) -> None:
    import orjson

    if len(plans) > 1:
        raise SpecError(
            f"--out {out}: {len(plans)} plans do not fit into one file; expected a folder, or one scheduler"
        )
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    out.write_bytes(orjson.dumps(plans[0].document(), option=options))
