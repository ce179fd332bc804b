from __future__ import annotations

import pytest

from testbed import errors


def test_unknown_name_gives_the_nearest_and_all_known() -> None:
    text = errors.unknown_name("scheduler", "sbef", ["sebf", "fair", "dclas"])
    assert text == "unknown scheduler 'sbef'; did you mean 'sebf'? known: dclas, fair, sebf"


def test_unknown_name_without_a_near_one() -> None:
    assert errors.unknown_name("kind", "xyz", ["fat-tree"]) == "unknown kind 'xyz'; known: fat-tree"


@pytest.mark.parametrize(
    ("error", "status"), [(errors.SpecError, 2), (errors.CapabilityError, 1), (errors.TestbedError, 1)]
)
def test_exit_statuses(error: type[errors.TestbedError], status: int) -> None:
    assert error("x").exit_status == status
