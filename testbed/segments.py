"""How large a segment hosts may hand to the network as a whole.

Where the kernel forwards, a segment of many frames crosses all switches in one piece: cheap, but a burst. It is
received as a whole, then sent, by every switch, so it must not take longer on a link than what the shapers let out at
once anyway: a millisecond, or two frames.
"""

from __future__ import annotations

import math

import numpy as np

from testbed.fabric import ETHERNET_HEADER, IP_TCP_HEADERS, Fabric

SEGMENT_S = 0.001
"""Of sending, that a shaper lets out at once, and a segment may therefore take on the slowest link."""
EASY_BPS = 1e9
"""What all hosts may send together before single frames cost too much: two to a segment are forwarded for less than
half the processor time of single ones."""
LARGEST_BYTES = 65_536
"""IPv4 has no larger packet."""


def burst_bytes(rate_bps: float, frame_bytes: int) -> int:
    """What a port's shaper lets out at once after idling: two frames or a millisecond of the rate, the greater."""
    return math.ceil(max(2 * frame_bytes, rate_bps / 8 * SEGMENT_S))


def frames_together(fabric: Fabric, scale: float = 1.0) -> int:
    """The most frames that a host may send as one segment; `scale`: if every link had so many times its rate.

    As many as the slowest link carries in a millisecond, and at least one; at least two where the hosts' links add up
    to more than 1 Gbit/s.
    """
    frame = fabric.mtu + ETHERNET_HEADER
    rates_bps = scale * np.array([link.rate_bps for link in fabric.links])
    least = 2 if rates_bps[fabric.uplink].sum() > EASY_BPS else 1
    in_time = round(rates_bps.min() / 8 * SEGMENT_S) // frame
    return int(max(1, min(max(least, in_time), LARGEST_BYTES // frame)))


def segment_words(frames: int, mtu: int) -> str:
    """What `ip link set dev X` takes to bound segments to a number of frames."""
    # TCP keeps room for its largest headers (some 320 bytes) within gso_max_size.
    size = min(LARGEST_BYTES, frames * (mtu - IP_TCP_HEADERS) + 512)
    return f"gso_max_size {size} gso_max_segs {frames}"
