"""`testbed compare DIR...`: every scheduler against a baseline, per size bin, with confidence intervals."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("directories", metavar="DIR...", nargs=-1, required=True, type=_FOLDER)
@click.option("--baseline", metavar="NAME", help="Scheduler that the others are compared with; default: fair.")
@click.option("--short", metavar="SIZE", help="A coflow is short if its longest flow is under this, such as '5 MB'.")
@click.option("--narrow", metavar="FLOWS", type=click.IntRange(min=1), help="A coflow is narrow up to so many flows.")
@click.option("--csv", "csv_file", type=_FOLDER, help="Write the whole table to this file too.")
@click.option("--json", "as_json", is_flag=True, help="Print plain data instead of a table.")
def command(
    directories: tuple[Path, ...],
    baseline: str | None,
    short: str | None,
    narrow: int | None,
    csv_file: Path | None,
    as_json: bool,
) -> int:
    """Compare the schedulers of the runs in DIR... (run directories, or folders of them), per size bin."""
    from testbed.analysis.bins import BinLimits
    from testbed.analysis.compare import compare
    from testbed.analysis.report import comparison_document, show_comparison
    from testbed.analysis.tables import result_console
    from testbed.errors import SpecError
    from testbed.records.files import replacing, to_json
    from testbed.records.finding import read_runs
    from testbed.units import parse_size

    limits = None
    if short is not None or narrow is not None:
        try:
            size = BinLimits.short_bytes if short is None else parse_size(short)
        except ValueError as error:
            raise SpecError(f"--short: {error}") from None
        limits = BinLimits(size, BinLimits.narrow_flows if narrow is None else narrow)
    runs, left_out = read_runs(directories)
    comparison = compare(runs, baseline, limits)
    notes = [f"left out: {why}" for why in left_out]
    if csv_file is not None:
        with replacing(csv_file) as temporary:
            comparison.table.to_csv(temporary, index=False)
    if as_json:
        click.echo(to_json(comparison_document(comparison, notes)))
    else:
        show_comparison(result_console(), comparison, notes)
    return 0
