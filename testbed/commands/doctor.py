"""`testbed doctor`: what this machine has and lacks for emulation, and what each lack costs."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def command(as_json: bool) -> int:
    """Tell what this machine has and lacks for emulation. Exit status 1 where nothing can be emulated."""
    import sys

    import orjson

    from testbed.emulation.capabilities import examine

    findings = examine()
    missing = [finding for finding in findings if finding.state == "missing"]
    if as_json:
        document = {"can_emulate": not missing, "findings": [finding.document() for finding in findings]}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        for finding in findings:
            colour = {"ok": "green", "limited": "yellow", "missing": "red"}[finding.state]
            words = finding.found + (f"\n{finding.cost}" if finding.cost else "")
            table.add_row(f"[{colour}]{finding.state}[/]", finding.name, words)
        table.columns[-1].overflow = "fold"
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
        click.echo("this machine can emulate" if not missing else "this machine cannot emulate yet: see 'missing'")
    return 1 if missing else 0
