"""What is fed with inputs, and what has to hold of each: only the project's own errors, no half-written output.

A target is made with a folder of its own, and `feed(random)` gives it one input; True where the input was good.
That it ends in bounded time and memory is seen to around it (fuzzing.py).
"""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path
from random import Random

import documents
from mangling import spoiled

from testbed.errors import SpecError
from testbed.planning import planned_variants
from testbed.spec.reader import Experiment, load_experiment, load_topology, load_workload, spec_kind
from testbed.spec.workload import SyntheticSpec
from testbed.workload.trace import read_trace, write_trace
from testbed.workload.trace_info import trace_info

LARGE = 2000
"""Hosts or coflows beyond which a valid plan is not made: that is work, not a mistake."""


class SpecTarget:
    """The reader of experiment, topology and workload files, and the planner behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "trace.txt").write_text(documents.TRACE)

    def feed(self, random: Random) -> bool:
        """One file, read as what it is; what is valid and small is planned."""
        text, settings = documents.experiment(random)
        path = self._folder / "e.yml"
        path.write_text(text, encoding="utf-8")
        before = os.listdir(self._folder)
        try:
            if spec_kind(path) != "experiment":
                _ = load_topology(path) if spec_kind(path) == "topology" else load_workload(path)
                return True
            self._plan(load_experiment(path, settings))
        except SpecError as error:
            return self._is_placed(str(error))
        finally:
            assert os.listdir(self._folder) == before
        return True

    def _is_placed(self, words: str) -> bool:
        """False, as the input was none, where its error says where it is, and in a bounded number of words."""
        known = (str(self._folder), "--set ", "/etc/passwd:")
        assert words.startswith(known), words
        assert len(words) < 100_000
        return False

    def _plan(self, experiment: Experiment) -> None:
        spec = experiment.spec
        coflows = spec.workload.coflows if isinstance(spec.workload, SyntheticSpec) else 0
        background = spec.workload.background
        if background is not None and background.poisson is not None:
            coflows += int(background.poisson.per_second * background.poisson.duration)
        if max(spec.topology.host_count, coflows) > LARGE:
            return
        _, plan = next(planned_variants(experiment))
        plan.write(self._folder).unlink()


class TraceTarget:
    """The reader of traces, plain or gzipped, and what is made of a trace that was read."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "t"
        self._out = folder / "out.gz"

    def feed(self, random: Random) -> bool:
        """One file; a trace that was read is written, and reads the same again."""
        data = documents.trace(random)
        if not random.randrange(4):
            data = spoiled(gzip.compress(data, compresslevel=1), random)
        self._path.write_bytes(data)
        try:
            trace = read_trace(self._path, random.choice((None, None, 0, 1)))
        except SpecError as error:
            return self._is_placed(str(error))
        assert trace_info(trace, 10**6, 1e6).coflows == len(trace.coflows)
        write_trace(trace, self._out)
        again = read_trace(self._out, base=0)
        assert (again.ports, len(again.coflows)) == (trace.ports, len(trace.coflows))
        assert sorted(os.listdir(self._out.parent)) == [self._out.name, self._path.name]
        return True

    def _is_placed(self, words: str) -> bool:
        """False, as the input was none, where its error says where it is."""
        assert re.match(rf"{re.escape(str(self._path))}:\d+: ", words), words
        return False
