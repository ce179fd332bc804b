"""The short form: a few hundred inputs for every reader. `make fuzz` is the long one (docs/reliability.md)."""

from __future__ import annotations

import pytest
from fuzzing import TARGETS, fuzz


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_reader(target: str) -> None:
    tally = fuzz(target, inputs=300, number=7)
    assert tally.inputs == 300
    assert 0 < tally.good < tally.inputs
