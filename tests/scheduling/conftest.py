"""Views by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pytest

from testbed.scheduling import registry
from testbed.scheduling.base import View
from testbed.scheduling.view import ViewBuilder
from testbed.simulation.instance import Job, big_switch_plan


class MakeView(Protocol):
    """A view of jobs on a big switch, all of whose flows are active."""

    def __call__(
        self,
        jobs: Sequence[Job],
        scheduler: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        received: Sequence[float] | None = None,
        now_s: float = 0.0,
        **fields: Any,
    ) -> View: ...


@pytest.fixture
def make_view() -> MakeView:
    """`received`: per flow, in the order of the jobs' pairs; `fields` go to the plan."""

    def make(
        jobs: Sequence[Job],
        scheduler: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        received: Sequence[float] | None = None,
        now_s: float = 0.0,
        **fields: Any,
    ) -> View:
        plan = big_switch_plan(jobs, scheduler, parameters, **fields)
        builder = ViewBuilder(plan, registry.make(scheduler, dict(parameters or {})))
        got = np.zeros(len(plan.flows)) if received is None else np.array(received, dtype=np.float64)
        active = np.flatnonzero(got < plan.flows.bytes)
        started = np.ones(len(plan.flows), dtype=np.bool_)
        return builder.build(now_s, active, got, started, plan.coflows.arrival_s)

    return make
