"""What a live run logs of its decisions is enough to make them again, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from replay_rig import PORT, Actors, F, build_plan

from testbed.analysis.recomputation import recompute
from testbed.coflow import NONE
from testbed.records.run_directory import create, read_run
from testbed.replay.replay import replay
from testbed.scheduling.gammas import lone_gammas


@pytest.mark.parametrize(
    ("scheduler", "parameters"),
    [("sebf", {}), ("dclas", {"first_limit": 50_000.0, "factor": 2, "sync": 0.01}), ("fair-paced", {})],
)
def test_live_decisions_come_out_again(
    actors: Actors, tmp_path: Path, scheduler: str, parameters: dict[str, object]
) -> None:
    random = np.random.default_rng(9)
    flows = [
        F(1 + n // 6, n % 4, (n + 1 + n // 4) % 4, int(size), n // 6 * 0.05, label=NONE if n % 7 == 6 else None)
        for n, size in enumerate(random.integers(20_000, 400_000, 36))
    ]
    plan = build_plan(4, flows, scheduler, parameters=parameters, after={6: (1,)})
    outcome = replay(plan, actors(4).sockets, port=PORT)
    assert outcome.reason == [""] * len(flows)
    run = create(tmp_path / "results", plan, "emulation")
    run.write_outcome(outcome, lone_gammas(plan))
    result = recompute(read_run(run.path))
    assert (result.different, result.first, result.tolerance) == (0, None, 0.0)
    assert result.compared == len(outcome.decisions) > 6
