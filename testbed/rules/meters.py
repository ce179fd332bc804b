"""Meters: how much of a flow, or of a coflow's flows, may enter the network at its edge, and in what bursts.

A meter polices: what comes when its bucket is empty is dropped, and TCP finds its rate by losing. So the bucket must
hold what TCP sends between two losses; too small a bucket starves the flow, too large a one lets too much pass at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from testbed.errors import EmulationError
from testbed.fabric import ETHERNET_HEADER, frame_share

BURST_S = 0.05
BURST_FRAMES = 3
"""A burst is 50 ms of the rate, and three full frames at least. Measured (benchmarks/meter_rates.py): with less,
one TCP flow loses whole windows, waits for time-outs, and the bucket is full before it goes on."""
STOPPED_FRAME_S = 0.25
"""How often a stopped flow may send a frame. Measured at MTU 9000, flow stopped for 1 s: with nothing let through it
goes on 0.15 to 1 s after it may, with a frame every 0.25 s after 0.04 to 0.07 s, and 9 to 27 KB have passed."""
MAX_NUMBER = 0xFFFF
MAX_RATE_BPS = 100e9
LEAST_RATE_BPS = 1000.0
"""OpenFlow 1.3 counts in kbit/s."""


@dataclass(frozen=True)
class Meter:
    """A token bucket, in whole frames' bits and bytes as they cross a link."""

    rate_bps: float
    burst_bytes: float

    @property
    def rate_kbps(self) -> int:
        """The rate as OpenFlow has it."""
        return max(1, round(self.rate_bps / 1e3))

    @property
    def burst_kbit(self) -> int:
        """The burst as OpenFlow has it."""
        return max(1, math.ceil(self.burst_bytes * 8 / 1e3))


def meter_for(goodput_Bps: float, mtu: int) -> Meter:
    """The meter that lets TCP have a goodput: its frames' rate, and the burst that one flow needs at this MTU."""
    rate_bps = max(goodput_Bps * 8 / frame_share(mtu), LEAST_RATE_BPS)
    return Meter(rate_bps, max(rate_bps / 8 * BURST_S, BURST_FRAMES * (mtu + ETHERNET_HEADER)))


def stopping_meter(flows: int, mtu: int) -> Meter:
    """The meter of flows that are stopped: a frame each every quarter of a second, so that TCP does not back off."""
    frame = mtu + ETHERNET_HEADER
    return Meter(flows * 8 * frame / STOPPED_FRAME_S, flows * frame)


def meter_of(value: Any) -> tuple[int, Meter]:
    """Number and meter of a JSON object {meter, rate_bps, burst_bytes}; EmulationError where it is none."""
    try:
        number, rate_bps, burst_bytes = (value[key] for key in ("meter", "rate_bps", "burst_bytes"))
        if set(value) != {"meter", "rate_bps", "burst_bytes"}:
            raise ValueError("other keys")
        meter_number(number)
        if not LEAST_RATE_BPS <= rate_bps <= MAX_RATE_BPS or not 0 < burst_bytes <= MAX_RATE_BPS:
            raise ValueError("out of range")
    except (TypeError, ValueError, KeyError) as error:
        raise EmulationError(
            f"meter {value!r}: {type(error).__name__}: {error}; expected meter (1 to {MAX_NUMBER}), rate_bps "
            f"({LEAST_RATE_BPS:g} to {MAX_RATE_BPS:g}) and burst_bytes (more than 0)"
        ) from None
    return number, Meter(float(rate_bps), float(burst_bytes))


def meter_number(value: Any) -> int:
    """A meter's number; ValueError where it is none."""
    if type(value) is not int or not 1 <= value <= MAX_NUMBER:
        raise ValueError(f"number {value!r}")
    return value
