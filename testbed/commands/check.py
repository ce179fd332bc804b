"""`testbed check`: are these spec files right? Reads everything that a run would read, and starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from testbed.errors import SpecError


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SPEC...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(specs: tuple[Path, ...], as_json: bool) -> None:
    """Validate topologies, workloads and experiments, trace files included; needs no root and no network."""
    found: list[dict[str, Any]] = []
    mistakes: list[str] = []
    for path in specs:
        try:
            found.append({"file": str(path), **_checked(path)})
        except SpecError as error:
            mistakes.append(str(error))
            continue
        if not as_json:
            click.echo(f"{path}: {found[-1]['kind']}: {found[-1]['summary']}")
    if as_json:
        import orjson

        click.echo(orjson.dumps({"valid": found, "mistakes": mistakes}, option=orjson.OPT_INDENT_2).decode())
    if mistakes:
        raise SpecError("\n".join(mistakes))


def _checked(path: Path) -> dict[str, Any]:
    from testbed.spec.reader import load_topology, load_workload, spec_kind

    kind = spec_kind(path)
    if kind == "topology":
        topology = load_topology(path)
        return {"kind": kind, "summary": f"{topology.title}, {topology.host_count} hosts"}
    if kind == "workload":
        return {"kind": kind, "summary": _workload(load_workload(path))}
    return {"kind": kind, "summary": _experiment(path)}


def _workload(workload: Any) -> str:
    from testbed.commands.plan_summary import counted
    from testbed.spec.workload import ApplicationSpec, ExplicitSpec, SyntheticSpec
    from testbed.workload.explicit import explicit_draft
    from testbed.workload.trace import read_trace

    if isinstance(workload, ExplicitSpec):
        draft = explicit_draft(workload)
        return f"explicit, {counted(len(draft.coflows), 'coflow')}, {counted(len(draft), 'flow')}"
    if isinstance(workload, SyntheticSpec):
        return f"synthetic, {counted(workload.coflows, 'coflow')}, load {workload.load:g}"
    if isinstance(workload, ApplicationSpec):
        return f"application, {counted(sum(len(one.places) for one in workload.applications.commands), 'program')}"
    trace = read_trace(Path(workload.file))
    return f"trace {workload.file}, {trace.ports} ports, {counted(len(trace.coflows), 'coflow')} before selection"


def _experiment(path: Path) -> str:
    from testbed.commands.plan_summary import counted, in_one_line, summarise
    from testbed.planning import make_plans
    from testbed.spec.reader import load_experiment

    runs, line = 0, ""
    for plan in make_plans(load_experiment(path)):  # planning finds what only topology and workload together show
        line = line or in_one_line(summarise(plan))
        runs += 1
    return f"{line}; {counted(runs, 'run')}"
