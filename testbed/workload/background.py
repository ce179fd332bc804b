"""Flows that belong to no coflow: long ones, and short ones at Poisson instants between random hosts."""

from __future__ import annotations

import numpy as np

from testbed.coflow import ENDLESS, NONE, Floats, Ints
from testbed.spec.workload import BackgroundSpec, PoissonSpec
from testbed.workload.draft import Draft

_STREAM = 2
"""Separates these random draws from others of the same seed."""


def with_background(draft: Draft, spec: BackgroundSpec, hosts: int, seed: int) -> Draft:
    """The draft with background flows behind its own; `seed` is the run's, which one stated in the spec overrides."""
    long = spec.long
    draft = draft.joined(
        _columns(
            np.array([flow.src for flow in long], dtype=np.int64),
            np.array([flow.dst for flow in long], dtype=np.int64),
            ENDLESS,
            np.array([flow.start for flow in long], dtype=np.float64),
        )
    )
    return draft if spec.poisson is None else draft.joined(_poisson(spec.poisson, hosts, seed))


def _poisson(spec: PoissonSpec, hosts: int, seed: int) -> dict[str, Ints | Floats]:
    random = np.random.default_rng((seed if spec.seed is None else spec.seed, _STREAM))
    count = random.poisson(spec.per_second * spec.duration)
    start_s = spec.start + np.sort(random.uniform(0, spec.duration, count))
    src = random.integers(hosts, size=count)
    dst = (src + random.integers(1, hosts, size=count)) % hosts
    return _columns(src, dst, spec.size, start_s)


def _columns(src: Ints, dst: Ints, size: int, start_s: Floats) -> dict[str, Ints | Floats]:
    none = np.full(len(src), NONE, dtype=np.int64)
    return {
        "coflow": none,
        "label": none,
        "src": src,
        "dst": dst,
        "bytes": np.full(len(src), size, dtype=np.int64),
        "start_s": start_s,
        "via": none,
    }
