"""Nothing is enforced."""

from __future__ import annotations

from typing import ClassVar

from testbed.replay.enforcement.base import Enforcer
from testbed.scheduling.base import Allocation, View


class Unenforced(Enforcer):
    """Decisions are made and logged, and nothing comes of them: the network's own sharing."""

    name: ClassVar[str] = "none"
    holds_starts: ClassVar[bool] = False

    def enforce(self, view: View, allocation: Allocation) -> None:
        """Leave the network as it is."""
