"""From an allocation to the priority classes of the network: at most 8, the same for both back ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.errors import SchedulerError, unknown_name
from testbed.scheduling.base import Allocation, View

CLASSES = 8
"""As many as a switch port has queues."""

UNLABELLED = ("top", "bottom", "own")


@dataclass(frozen=True)
class Classes:
    """Class per flow row, 0 served first; and the weight per class, or None for strict priority."""

    queue: Ints
    weight: Floats | None


def classes(
    view: View, allocation: Allocation, unlabelled_class: str = "top", true_coflow: Ints | None = None
) -> Classes:
    """Fold the scheduler's queues onto the network's classes, and place the flows that carry no label.

    An order of coflows (queue = rank) and d-clas queues alike: class = min(queue, 7). Flows without a label go to
    the class that the experiment states: `top` (class 0, as plain TCP beside a scheduler), `bottom` (class 7), or
    `own`: where the labelled flows of the coflow they truly belong to are (`true_coflow`: its id per flow row, known
    to the enforcer and not to the scheduler); without such flows, and for background, that is the top.
    """
    if unlabelled_class not in UNLABELLED:
        raise SchedulerError(unknown_name("unlabelled_class", unlabelled_class, UNLABELLED))
    last = CLASSES - 1
    queue = np.minimum(allocation.queue, last).astype(np.int64)
    free = slice(view.labelled, len(view.flow))
    if unlabelled_class == "bottom":
        queue[free] = last
    else:
        queue[free] = 0
    if unlabelled_class == "own" and true_coflow is not None and len(view.coflow):
        of_coflow = np.full(len(view.coflow), last + 1, dtype=np.int64)
        np.minimum.at(of_coflow, view.flow_coflow[: view.labelled], queue[: view.labelled])
        rank = np.argsort(view.coflow, kind="stable")
        at = np.minimum(np.searchsorted(view.coflow[rank], true_coflow[free]), len(rank) - 1)
        found = view.coflow[rank[at]] == true_coflow[free]
        queue[free] = np.where(found, of_coflow[rank[at]], 0)
    return Classes(queue=queue, weight=class_weights(allocation.queue_weight))


def class_weights(queue_weight: Floats | None) -> Floats | None:
    """Weight per class: that of the first queue folded onto it; a class without a queue has the last queue's."""
    if queue_weight is None:
        return None
    return np.asarray(queue_weight, dtype=np.float64)[np.minimum(np.arange(CLASSES), len(queue_weight) - 1)]
