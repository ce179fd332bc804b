"""`testbed clean`: remove what killed runs left on this machine, and nothing else."""

from __future__ import annotations

import click


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in place of the table.")
def command(dry_run: bool, as_json: bool) -> None:
    """Remove what killed runs left on this machine; needs root. Results, and runs that are alive, are left alone."""
    import os

    import orjson

    from testbed.emulation.cleanup import clean, living_runs
    from testbed.errors import CapabilityError

    if os.geteuid() != 0:
        raise CapabilityError("clean needs root: it removes containers, interfaces and processes; run it with sudo")
    removals = clean(dry_run, log=lambda text: click.echo(text, err=True))
    alive = living_runs()
    if as_json:
        document = {
            "dry_run": dry_run,
            "removed": [removal.document() for removal in removals],
            "alive": [{"run": state.run_id, "pid": state.owner.pid} for state in alive],
        }
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    verb = "would remove" if dry_run else "removed"
    for removal in removals:
        click.echo(f"{verb} {removal.kind} {removal.name}" + (f" of run {removal.run}" if removal.run != "-" else ""))
    for state in alive:
        click.echo(f"left alone: run {state.run_id} is alive (pid {state.owner.pid})")
    if not removals:
        click.echo("nothing to remove")
