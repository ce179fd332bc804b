"""Background flows belong to no coflow, carry no label, and are the same for the same seed."""

from __future__ import annotations

import numpy as np

from testbed.coflow import ENDLESS, NONE
from testbed.spec.workload import BackgroundSpec, ExplicitSpec
from testbed.workload.background import with_background
from testbed.workload.draft import Draft
from testbed.workload.explicit import explicit_draft


def one_flow() -> Draft:
    coflows = [{"id": 1, "flows": [{"from": 0, "to": 1, "size": "1 MB"}]}]
    return explicit_draft(ExplicitSpec.model_validate({"kind": "explicit", "coflows": coflows}))


def test_long_flows() -> None:
    spec = BackgroundSpec.model_validate({"long": [{"from": 2, "to": 3}, {"from": 3, "to": 4, "start": "2 s"}]})
    made = with_background(one_flow(), spec, 8, 1)
    assert made.coflow.tolist() == [1, NONE, NONE]
    assert made.label.tolist() == [1, NONE, NONE]
    assert made.bytes.tolist() == [1_000_000, ENDLESS, ENDLESS]
    assert made.start_s.tolist() == [0, 0, 2]


def test_poisson_flows() -> None:
    poisson = {"per_second": 100, "size": "10 KB", "duration": "20 s", "start": "5 s"}
    spec = BackgroundSpec.model_validate({"poisson": poisson})
    made = with_background(one_flow(), spec, 8, 1).taking(np.s_[1:])
    assert 1800 < len(made) < 2200  # 2000 expected, standard deviation 45
    assert (made.coflow == NONE).all()
    assert (made.bytes == 10_000).all()
    assert 5 <= made.start_s.min() <= made.start_s.max() < 25
    assert (made.src != made.dst).all()
    assert np.bincount(made.src, minlength=8).min() > 150
    assert np.bincount(made.dst, minlength=8).min() > 150
    gaps = np.diff(made.start_s)
    assert 0.9 < gaps.std() / gaps.mean() < 1.1  # 1 for Poisson
    again = with_background(one_flow(), spec, 8, 1).taking(np.s_[1:])
    assert np.array_equal(made.start_s, again.start_s)
    assert not np.array_equal(made.src, with_background(one_flow(), spec, 8, 2).src[1 : len(made) + 1])
