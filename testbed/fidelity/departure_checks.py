"""Whether frames leave a saturated link as its rate has it: one after the other, each for its time on the wire.

A network invariant of Handigol et al., Reproducible Network Experiments Using Container-Based Emulation, CoNEXT 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from testbed.coflow import Floats
from testbed.fabric import ETHERNET_HEADER, IP_TCP_HEADERS
from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.verdict import Check, at_most
from testbed.plan import Plan
from testbed.segments import SEGMENT_S

OFF_DEGRADED = 0.25
OFF_INVALID = 1.0
"""At 99 %: a frame comes a whole frame (or burst) early or late, once in a hundred."""
FRAMES_OF_CLASSES = 8
LEAST_GAPS = 100
"""The 99th percentile of fewer is the worst of them, which one late timer makes."""


@dataclass(frozen=True)
class Gaps:
    """Times between frames that stood in one queue and left it one after the other, and what they should have been."""

    measured_s: Floats
    ideal_s: Floats

    @property
    def off(self) -> Floats:
        """How far each is from the ideal, as a share of it (or of what shapers send ahead, where that is longer)."""
        off: Floats = np.abs(self.measured_s - self.ideal_s) / np.maximum(self.ideal_s, SEGMENT_S)
        return off


def gaps_of(plan: Plan, departures: pd.DataFrame) -> Gaps:
    """Gaps between full frames. `departures`: a row per frame (window, link by number, at_s, bytes), windows in order.

    A short frame takes less time than a timer of the kernel can tell, and one of another class (an acknowledgement,
    mostly) may leave before its time: it is not judged, its time is a part of the gap it is in. A frame that stands
    for several on the wire (segmentation is left to the far end) is shaped as those. Where ports have classes, one
    with a share of its own sends when that is due, and the port makes up for it at once: there a gap is the time of
    eight frames in a row.
    """
    fabric, apart = plan.fabric, FRAMES_OF_CLASSES if "queue" in plan.enforcement else 1
    full = fabric.mtu + ETHERNET_HEADER
    size = departures["bytes"].to_numpy(dtype=np.float64)
    window, at_s = departures["window"].to_numpy(), departures["at_s"].to_numpy(dtype=np.float64)
    rate_bps = np.array([link.rate_bps for link in fabric.links])[departures["link"].to_numpy(dtype=np.int64)]
    frames = np.maximum(np.ceil((size - ETHERNET_HEADER - IP_TCP_HEADERS) / (fabric.mtu - IP_TCP_HEADERS)), 1)
    ideal_s = (size + (frames - 1) * (ETHERNET_HEADER + IP_TCP_HEADERS)) * 8 / rate_bps
    whole = np.flatnonzero(size >= 0.9 * full)
    first, last = whole[:-apart], whole[apart:]
    judged = window[first] == window[last]
    due_s = np.cumsum(ideal_s) - ideal_s
    return Gaps((at_s[last] - at_s[first])[judged], (due_s[last] - due_s[first])[judged])


def departures_from_the_ideal(evidence: Evidence) -> Check:
    """Times between departures at a saturated link, against its rate: how far they are off, p99."""
    name = "departures off the ideal, p99"
    evidence.without_faults(name, "faults of the plan change what a link's rate is")
    departures = evidence.outcome.samples.get("departures")
    if departures is None:
        raise Unmeasured(name, "departures were not noted")
    gaps = gaps_of(evidence.plan, departures)
    if len(gaps.off) < LEAST_GAPS:
        raise Unmeasured(
            name, f"{len(gaps.off)} frames left a queue one after the other where that was noted; {LEAST_GAPS} tell"
        )
    p50, p90, p99 = np.percentile(gaps.off, (50, 90, 99))
    return at_most(
        name, p99, "of a frame's time", degraded=OFF_DEGRADED, invalid=OFF_INVALID,
        words="frames that stood in a queue did not leave it at the link's rate: the kernel's timers were late, or a "
        "shaper was changed; close other programs, lower link.rate, or run `testbed clean` and repeat the run",
        details={"p50": p50, "p90": p90, "max": float(gaps.off.max()), "gaps": float(len(gaps.off))},
    )  # fmt: skip
