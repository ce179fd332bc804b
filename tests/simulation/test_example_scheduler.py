"""The scheduler of docs/example-scheduler.md, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch_plan

DOCUMENT = Path(__file__).parents[2] / "docs/example-scheduler.md"


def test_the_documented_scheduler_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    plan = big_switch_plan([Job({(0, 0): 3}), Job({(0, 1): 2, (1, 2): 6})], "fair", {})
    outcome = simulate(plan, scheduler=names["LastComeFirstServed"]())
    # worked example A in the order C2, C1
    finish = [np.max(outcome.finish_s[plan.flows.coflow == id_]) for id_ in (0, 1)]
    assert finish == pytest.approx([5, 6], rel=1e-9)
