"""A study small enough for a test: two sweeps in which labels are missing, and one of a trace that is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from testbed.display import Display
from testbed.records.run_directory import create
from testbed.records.study_folder import StudyFolder
from testbed.runner import run_simulated
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.sweep.document import sweep_document
from testbed.sweep.points import SweepRun
from testbed.sweep.study import read_study

_TREE = "topology: {kind: fat-tree, k: 4, link: {rate: 20 Mbit/s}}\n"
BEHIND = (
    _TREE
    + """\
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, broadcast: {from: 0, to: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13], size: 1.2 MB}}
    - {id: 2, arrival: 10 ms, broadcast: {from: 0, to: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13], size: 50 KB}}
  unlabelled: {coflow: 1, flows: 0}
schedulers: [{name: dclas, first_limit: 1 MB, factor: 2, sharing: strict}]
enforcement: [pacing, queue]
vary: {workload.unlabelled_class: [top, bottom], workload.unlabelled.flows: [0, 5, 9]}
"""
)
SHARES = (
    _TREE
    + """\
workload: {kind: synthetic, coflows: 20, load: 0.9, max_width: 8, size_scale: 0.05, min_bytes: 1 MB, max_bytes: 10 MB,
  unlabelled: {share: 0}}
schedulers: [{name: dclas, first_limit: 500 KB, sharing: strict}, sebf]
enforcement: [pacing, queue]
backends: simulation
repeats: 2
vary: {workload.unlabelled.share: [0, 0.5]}
"""
)
TRACE = (
    _TREE
    + """\
workload: {kind: trace, file: missing.txt, unlabelled: {share: 0}}
schedulers: [sebf]
backends: simulation
vary: {workload.unlabelled.share: [0, 0.5]}
"""
)


def write_specs(folder: Path) -> Path:
    """The three files."""
    folder.mkdir(parents=True)
    for name, text in (("a-behind", BEHIND), ("d-shares", SHARES), ("d-trace", TRACE)):
        (folder / f"{name}.yml").write_text(text)
    return folder


def record_study(specs: Path, out: Path, *, emulated: bool) -> StudyFolder:
    """A study's folder with every simulated run in it, made in this process.

    `emulated`: with records of emulated runs too, whose figures are the simulated ones.
    """
    study, folder = read_study(specs), StudyFolder(out)
    folder.write(study.document())
    for sweep in study.sweeps:
        place = folder.sweep(sweep.experiment.name)
        for run in sweep.runs:
            if run.source == "simulation":
                run_simulated(run.plan(), place.runs, Display(Console(quiet=True)), name=run.name)
            elif emulated:
                _as_if_emulated(run, place.runs)
        place.write(sweep_document(sweep.experiment, sweep.runs, None, []))
    return folder


def _as_if_emulated(run: SweepRun, runs: Path) -> None:
    plan = run.plan()
    directory = create(runs, plan, "emulation", name=run.name)
    directory.write_outcome(replace(simulate(plan), source="emulation"), lone_gammas(plan))
