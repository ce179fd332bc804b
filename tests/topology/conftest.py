"""Link settings for fabrics in tests."""

from __future__ import annotations

import pytest

from testbed.topology.shape import LinkSetting


@pytest.fixture(scope="session")
def link() -> LinkSetting:
    return LinkSetting(rate_bps=20e6, capacity_Bps=2.4e6, buffer_bytes=256_000, delay_s=0.001, loss=0.01)
