"""`testbed run` with faults: connections go over to other paths and back, and a planned end of a host ends no run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from testbed.analysis.recomputation import recompute
from testbed.records.run_directory import Run, read_run

pytestmark = pytest.mark.network

FAULTY = """
topology: {{kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 2, link: {{rate: 20 Mbit/s}}, datapath: {datapath},
           routing: {{ecmp: {ecmp}}}}}
workload:
  kind: explicit
  coflows:
    - {{id: 1, flows: [{{from: 0, to: 2, size: 6 MB, via: 0}}]}}
    - {{id: 2, flows: [{{from: 1, to: 0, size: 3 MB}}, {{from: 0, to: 3, size: 500 KB, arrival: 1 s, via: 1}}]}}
    - {{id: 3, after: [2], flows: [{{from: 0, to: 3, size: 200 KB}}]}}
  faults:
    - {{at: 500 ms, link: [l0, s0], event: down}}
    - {{at: 600 ms, host: 1, event: kill}}
    - {{at: 1500 ms, link: [l0, s0], event: up}}
    - {{at: 1600 ms, host: 2, event: pause}}
    - {{at: 3300 ms, host: 2, event: resume}}
    - {{at: 3400 ms, link: [h2, l1], event: slow, rate: 10 Mbit/s}}
    - {{at: 3500 ms, switch: s0, event: crash}}
    - {{at: 3900 ms, switch: s0, event: restart}}
schedulers: [sebf]
enforcement: [pacing, queue]
backends: [emulation]
"""


def run(start: Callable[..., subprocess.Popen[str]], results: Path, datapath: str, ecmp: str = "per-flow") -> Run:
    process = start(FAULTY.format(datapath=datapath, ecmp=ecmp))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    (path,) = (path for path in results.iterdir() if path.name != "reports")
    return read_run(path)


def sent(run: Run, link: str, begin_s: float, end_s: float) -> int:
    """Bytes that a link sent between the first samples after two instants."""
    ports: pd.DataFrame = run.samples["ports"]
    number = [each.name for each in run.plan.fabric.links].index(link)
    counted = ports[ports["link"] == number].set_index("at_s")["sent_bytes"]
    first, last = (counted[counted.index >= at_s] for at_s in (begin_s, end_s))
    return int(last.iloc[0] - first.iloc[0])


def judge(run: Run) -> None:
    """What holds whatever the switches are."""
    flows = run.flows.sort_values(["coflow", "bytes"])
    gone, after = "fault: host h1 was killed", "not started: what it waits for did not finish"
    by_size = {row.bytes: row for row in flows.itertuples()}
    assert {size: row.reason if isinstance(row.reason, str) else "" for size, row in by_size.items()} == {
        6_000_000: "", 3_000_000: gone, 500_000: "", 200_000: after,
    }  # fmt: skip
    assert by_size[6_000_000].received_bytes == 6_000_000
    faults = run.samples["faults"]
    assert faults["fault"].tolist() == [
        "link l0-s0 down", "host h1 kill", "link l0-s0 up", "host h2 pause", "host h2 resume",
        "link h2-l1 slow, 10 Mbit/s", "switch s0 crash", "switch s0 restart",
    ]  # fmt: skip
    assert (faults["at_s"] >= faults["planned_s"]).all()
    assert (faults["routed_s"] < 1).all()
    assert not [check for check in run.fidelity.failed if check.verdict == "invalid"]
    found = recompute(run)
    assert (found.different, found.first) == (0, None)
    # the long flow, sent by way of s0, goes on over s1 while l0-s0 is down
    assert sent(run, "l0->s0", 0.7, 1.4) == 0
    assert sent(run, "l0->s1", 0.7, 1.4) > 200_000


@pytest.mark.parametrize("datapath", ["router", "auto"])
def test_a_run_with_faults(start: Callable[..., subprocess.Popen[str]], tmp_path: Path, datapath: str) -> None:
    done = run(start, tmp_path / "results", datapath)
    judge(done)
    end_s = done.samples["ports"]["at_s"].max()
    assert sent(done, "l0->s0", 4.2, end_s) > 500_000  # the planned path again, after a link and after a switch
    assert sent(done, "l0->s1", 4.2, end_s) < 100_000


@pytest.mark.parametrize("ecmp", ["hash", "single-path"])
def test_where_no_address_names_the_path(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, ecmp: str
) -> None:
    judge(run(start, tmp_path / "results", "router", ecmp))
