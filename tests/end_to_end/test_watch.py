"""`testbed run --watch`: the page gets what happens, and the records are those of any run."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

SPEC = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 5 MB}]}
    - {id: 2, arrival: 200 ms, flows: [{from: 1, to: 0, size: 200 KB}]}
schedulers: [sebf]
backends: [emulation]
"""
SILENT_S = 120


def columns(folder: Path) -> dict[str, list[str]]:
    """What a run directory holds: its files, and of tables their columns."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".csv":
            found[name] = pd.read_csv(path).columns.tolist()
        elif path.suffix == ".parquet":
            found[name] = pd.read_parquet(path).columns.tolist()
        elif path.suffix == ".json":
            found[name] = sorted(json.loads(path.read_text()))
        else:
            found[name] = []
    return found


def events(url: str) -> list[tuple[str, Any]]:
    """All that the page is told, until the command ends."""
    host, path = re.fullmatch(r"http://([^/]+)(/.+)", url).groups()  # type: ignore[union-attr]
    heard, kind = [], ""
    with closing(http.client.HTTPConnection(host, timeout=SILENT_S)) as connection:
        connection.request("GET", f"{path}events")
        with connection.getresponse() as answer:
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    heard.append((kind, json.loads(value)))
    return heard


def test_the_page_is_told_of_the_run_and_the_records_are_the_same(
    start: Callable[..., subprocess.Popen[str]], machine: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    plain = start(SPEC, "--out", str(tmp_path / "plain"))
    out, err = plain.communicate(timeout=120)
    assert plain.returncode in (0, 3), out + err  # 3: too slow a machine for a verdict of valid
    watched = start(SPEC, "--out", str(tmp_path / "watched"), "--watch")
    assert watched.stderr is not None
    url = next(line.split()[-1] for line in watched.stderr if line.startswith("live view: "))
    heard = events(url)
    out, err = watched.communicate(timeout=120)
    assert watched.returncode in (0, 3), out + err

    (before,) = (path for path in (tmp_path / "plain").iterdir() if path.name != "reports")
    (after,) = (path for path in (tmp_path / "watched").iterdir() if path.name != "reports")
    assert columns(after) == columns(before)

    kinds = [kind for kind, _ in heard]
    assert (kinds[0], kinds[-1]) == ("run", "bye")
    phases = [document for kind, document in heard if kind == "phase"]
    assert phases == ["bring-up", "prepare", "replay", "drain", "take-down"]
    states = [document for kind, document in heard if kind == "state"]
    assert len(states) > 2
    links = heard[0][1]["cables"]
    assert all(len(state["load"]) == 2 * len(links) for state in states)
    assert max(max(state["load"]) for state in states) > 50  # one flow, paced at the link's whole capacity
    assert any(state["active"] for state in states)
    assert states[-1]["coflows_done"] == 2
    finished = {row[0]: row for kind, rows in heard if kind == "finished" for row in rows}
    run = read_run(after)
    for _, coflow in run.coflows.iterrows():
        assert finished[coflow["coflow"]][2] == pytest.approx(coflow["cct_s"], abs=2e-6)
    end = dict(heard)["end"]
    assert end["verdict"] == run.fidelity.verdict
    assert os.path.basename(end["directory"]) == after.name
