"""The fuzz tests use the plans of the replay's and of the rules' tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("replay", "rules")]
