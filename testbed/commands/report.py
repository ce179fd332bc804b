"""`testbed report DIR...`: verdict, summary, plots and the HTML report of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("directories", metavar="DIR...", nargs=-1, required=True, type=_FOLDER)
@click.option("--out", type=_FOLDER, help="Where report and plots go; default: the folder `report` beside the runs.")
@click.option("--baseline", metavar="NAME", help="Scheduler that the others are compared with; default: fair.")
@click.option("--json", "as_json", is_flag=True, help="Print plain data instead of a table.")
def command(directories: tuple[Path, ...], out: Path | None, baseline: str | None, as_json: bool) -> int:
    """Judge, summarize and plot the runs in DIR... (run directories, or folders of them), and write report.html.

    Exit status 3 where a run is invalid.
    """
    return show(directories, out, baseline, as_json)


def show(directories: Sequence[Path], out: Path | None, baseline: str | None, as_json: bool) -> int:
    """Print verdict and summary of the runs, write their plots and the page.

    Returns the exit status that the verdict asks for.
    """
    from testbed.analysis.page.page import write_page
    from testbed.analysis.report import show_summary, summarize, write_plots
    from testbed.analysis.tables import result_console
    from testbed.fidelity.verdict import INVALID
    from testbed.records.files import to_json
    from testbed.records.finding import read_runs

    runs, left_out = read_runs(directories)
    summary = summarize(runs, baseline, notes=[f"left out: {why}" for why in left_out])
    folder = out or _beside([run.path for run in runs]) / "report"
    plots, omitted = write_plots(runs, folder, baseline)
    page = write_page(runs, summary, folder)
    if as_json:
        files = [str(path) for path in plots]
        click.echo(to_json({**summary.document(), "page": str(page), "plots": files, "plots_omitted": omitted}))
    else:
        show_summary(result_console(), summary)
        for name, why in omitted.items():
            click.echo(f"not drawn: {name}: {why}")
        click.echo(f"plots: {len(plots)} files in {folder}")
        click.echo(f"report: {page}")
    return 3 if summary.verdict == INVALID else 0


def _beside(paths: list[Path]) -> Path:
    """The run itself if there is one, else the folder that all runs are in; here where that is the root."""
    if len(paths) == 1:
        return paths[0]
    shared = next(parent for parent in paths[0].parents if all(parent in path.parents for path in paths))
    return shared if shared != Path(shared.anchor) else Path()
