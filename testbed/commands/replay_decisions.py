"""`testbed replay-decisions RUN`: make every decision of a run again, from its records alone, and compare."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: Path, as_json: bool) -> int:
    """Ask the scheduler of RUN (a run directory) again about all that it saw, and compare with what it answered then.

    Exit status 1 where a decision comes out otherwise.
    """
    from testbed.analysis.recomputation import recompute
    from testbed.records.files import to_json
    from testbed.records.run_directory import read_run

    result = recompute(read_run(run))
    if as_json:
        click.echo(to_json(result.document()))
    else:
        exactness = f"within {result.tolerance:g}, relative" if result.tolerance else "to the bit"
        click.echo(f"{run}: {result.compared} decisions compared ({exactness}), {result.different} different")
        if result.first is not None:
            click.echo(f"the first: {result.first}")
    return 1 if result.first is not None else 0
