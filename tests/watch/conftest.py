"""Views to look at, ended with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scene import Scene, plans_of

from testbed.watch.watch import Watch, watching


@pytest.fixture(scope="session")
def scene() -> Scene:
    """The quickstart under sebf."""
    return Scene(plans_of("quickstart.yml")[1])


@pytest.fixture
def said() -> list[str]:
    """What a view has said on the terminal."""
    return []


@pytest.fixture
def watch(said: list[str]) -> Iterator[Watch]:
    """A view of two runs."""
    with watching(0, 2, said.append) as view:
        yield view
