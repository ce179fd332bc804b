"""Taking labels away: flows that belong to a coflow, of which the scheduler is not told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from testbed.coflow import NONE
from testbed.spec.workload import UnlabelledSpec
from testbed.workload.draft import Blame, Draft

_STREAM = 1
"""Separates these random draws from others of the same seed."""


def unlabel(draft: Draft, spec: UnlabelledSpec, seed: int, blame: Blame) -> Draft:
    """The draft with some labels gone; `seed` is the run's, which one stated in the spec overrides.

    Of one coflow the first flows in the draft's order lose theirs. Of a share, so many flows as it says, rounded, at
    random among all that carry the label of their own coflow. SpecError where there are too few.
    """
    here = ("workload", "unlabelled")
    own = draft.label == draft.coflow
    if spec.coflow is not None:
        if spec.coflow not in draft.coflows.coflow:
            raise blame((*here, "coflow"), f"no coflow {spec.coflow} in the workload, which has {len(draft.coflows)}")
        rows = np.flatnonzero(own & (draft.coflow == spec.coflow))
        count = spec.flows or 0
        if count > len(rows):
            raise blame((*here, "flows"), f"found {count}, labelled flows of coflow {spec.coflow}: {len(rows)}")
        rows = rows[:count]
    else:
        rows = np.flatnonzero(own & (draft.coflow != NONE))
        random = np.random.default_rng((seed if spec.seed is None else spec.seed, _STREAM))
        rows = random.permutation(rows)[: round((spec.share or 0.0) * len(rows))]
    label = draft.label.copy()
    label[rows] = NONE
    return replace(draft, label=label)
