from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.workload.trace import Trace, read_trace

FACEBOOK = Path(
    os.environ.get("COFLOW_TRACE", Path(__file__).parents[2] / "../shared/traces/FB2010-1Hr-150-0.txt")
).resolve()


@pytest.fixture(scope="session")
def facebook_file() -> Path:
    if not FACEBOOK.exists():
        pytest.skip(f"the public Facebook trace is not at {FACEBOOK} (set COFLOW_TRACE)")
    return FACEBOOK


@pytest.fixture(scope="session")
def facebook(facebook_file: Path) -> Trace:
    return read_trace(facebook_file)
