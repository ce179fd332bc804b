"""Asking a scheduler, and refusing an answer that cannot be carried out."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from testbed.errors import SchedulerError
from testbed.scheduling.base import Allocation, Scheduler, View


def decide(scheduler: Scheduler, view: View) -> Allocation:
    """The scheduler's allocation for this view, checked.

    SchedulerError names the scheduler, the instant and the flow or coflow of what is of the wrong shape, not a
    number, negative, out of range, or would have the scheduler asked again at once for ever.
    """
    answer: object = scheduler.allocate(view)
    if not isinstance(answer, Allocation):
        kind = type(answer).__name__
        _refuse(scheduler, view, f"allocate returned {kind}; expected a testbed.scheduling.base.Allocation")
    allocation = answer
    flows, coflows = len(view.flow), len(view.coflow)
    cap = _array(scheduler, view, "cap_Bps", allocation.cap_Bps, flows, "flow", "fiu")
    bad = ~(cap >= 0)
    if bad.any():
        row = int(np.argmax(bad))
        _refuse(
            scheduler, view, f"cap_Bps of flow {view.flow[row]} is {cap[row]}; expected 0 or more, or inf for no cap"
        )
    queue = _array(scheduler, view, "queue", allocation.queue, flows, "flow", "iu")
    if flows and queue.min() < 0:
        row = int(np.argmin(queue))
        _refuse(scheduler, view, f"queue of flow {view.flow[row]} is {queue[row]}; expected 0 or more")
    order = _array(scheduler, view, "order", allocation.order, coflows, "coflow", "iu")
    if not np.array_equal(np.sort(order), np.arange(coflows)):
        _refuse(scheduler, view, f"order is {order.tolist()}; expected every coflow row from 0 to {coflows - 1} once")
    if allocation.queue_weight is not None:
        weight = _array(scheduler, view, "queue_weight", allocation.queue_weight, None, "class", "fiu")
        needed = int(queue.max()) + 1 if flows else 0
        if len(weight) < needed or not np.all(np.isfinite(weight)) or not np.all(weight > 0):
            _refuse(
                scheduler,
                view,
                f"queue_weight is {weight.tolist()}; expected a weight above 0 for each of {needed} classes",
            )
    for name in ("reject", "cut"):
        rows = _array(scheduler, view, name, getattr(allocation, name), None, "coflow", "iu")
        if len(rows) and (rows.min() < 0 or rows.max() >= coflows):
            _refuse(scheduler, view, f"{name} is {rows.tolist()}; expected coflow rows from 0 to {coflows - 1}")
    if not allocation.ask_again_s > view.now_s:
        _refuse(scheduler, view, f"ask_again_s is {allocation.ask_again_s!r}; expected an instant after now")
    if allocation.ask_at_received is not None:
        asked = _array(scheduler, view, "ask_at_received", allocation.ask_at_received, coflows, "coflow", "fiu")
        bad = ~(asked > view.coflow_received)
        if bad.any():
            row = int(np.argmax(bad))
            _refuse(
                scheduler,
                view,
                f"ask_at_received of coflow {view.coflow[row]} is {asked[row]}; "
                f"expected more than the {view.coflow_received[row]} bytes it has received",
            )
    return allocation


def _array(
    scheduler: Scheduler, view: View, name: str, value: object, length: int | None, per: str, kinds: str
) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in kinds:
        found = f"an array of {value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        what = "integers" if "f" not in kinds else "numbers"
        _refuse(scheduler, view, f"{name} is {found}; expected a flat array of {what}, one per {per}")
    if length is not None and len(value) != length:
        _refuse(scheduler, view, f"{name} has {len(value)} entries; expected {length}, one per {per} of the view")
    return value


def _refuse(scheduler: Scheduler, view: View, what: str) -> NoReturn:
    raise SchedulerError(f"scheduler {scheduler.name} at {view.now_s:.9g} s: {what}")
