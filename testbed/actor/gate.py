"""The pacing gate: how many bytes a flow may write now, under a cap in bytes per second.

Exact over the life of a flow: by time t after its start at most rate x t bytes have been written (but for one small
first write, which is paid back), and the last byte leaves at size / rate. SO_MAX_PACING_RATE alone would let the first
ten segments of a connection pass at once, take 0 for "no cap", and make a raised cap wait for the gap already armed.
"""

from __future__ import annotations

FIRST_WRITE = 256
"""Bytes written at once when a flow starts or resumes under a cap, ahead of its credit."""

UNCAPPED_WRITE = 1 << 20
"""Most bytes of one write of a flow without a cap."""

WRITE_NS = 5_000_000
"""A capped flow writes about so often, where its actor does not do all in coarser grains ..."""
_FILL = 20  # ... but it waits up to twenty times as long to fill a segment: the network's cost is per packet
_SMALLEST_WRITE = 1000
_LARGEST_WRITE = 1 << 20
CATCH_UP_NS = 20_000_000
"""What a late wake-up or a full socket may make good later."""
_SMALLEST_SEGMENT = 536  # of TCP, until the connection says better
_GRID_NS = 500_000  # wake-ups of different flows fall together on a grid
_GOLDEN = 0.6180339887498949


class Gate:
    """Token bucket of one flow; `seed` (its number) spreads the flows' writes in time."""

    __slots__ = (
        "_chunk",
        "_credit",
        "_depth",
        "_leap",
        "_next",
        "_phase",
        "_segment",
        "_stamp_ns",
        "_write_ns",
        "rate_Bps",
    )

    def __init__(self, seed: int) -> None:
        self._segment = _SMALLEST_SEGMENT
        self._phase = seed * _GOLDEN % 1.0
        self._write_ns = WRITE_NS
        self.rate_Bps: float | None = 0.0
        """None: no cap; 0: stopped."""
        self._stamp_ns = 0
        self._credit = 0.0
        self._depth = 0.0
        self._chunk = 0
        self._next = 0  # size of the next write; 0 for the whole chunk
        self._leap = True  # the next write is the small first one

    def use_segment(self, now_ns: int, segment: int) -> None:
        """Write in multiples of the connection's segment size (MSS) in bytes, where the cap is high enough."""
        self._segment = segment
        self.set_rate(now_ns, self.rate_Bps)

    def write_every(self, write_ns: int) -> None:
        """Write about so often, from the next change of the cap on."""
        self._write_ns = write_ns

    def set_rate(self, now_ns: int, rate_Bps: float | None) -> None:
        """Change the cap from now on. A flow that was stopped may write its first bytes at once."""
        old = self.rate_Bps
        self._earn(now_ns)
        self.rate_Bps = rate_Bps
        if rate_Bps is None:
            return
        if old is None:
            self._credit = 0.0
        elif old == 0:
            self._leap = True
        self._chunk = chunk = self._chunk_of(rate_Bps)
        self._depth = max(2.0 * chunk, rate_Bps * CATCH_UP_NS / 1e9)
        self._credit = min(self._credit, self._depth)
        self._next = min(self._next, chunk)

    def allowance(self, now_ns: int, remaining: int) -> int:
        """Bytes that may be written now; 0 where the flow has to wait until `due_ns`."""
        if self.rate_Bps is None:
            return min(remaining, UNCAPPED_WRITE)
        if self.rate_Bps == 0:
            return 0
        self._earn(now_ns)
        if self._leap and self._credit >= 0:
            return min(remaining, FIRST_WRITE)
        want = self._want(remaining)
        if self._credit < want:
            return 0
        if want == self._chunk:
            want = int(self._credit) // want * want
        return min(want, remaining)

    def spend(self, written: int) -> None:
        """Take written bytes off the credit."""
        if self.rate_Bps is None:
            return
        self._credit -= written
        if self._leap:
            self._leap = False
            self._next = max(FIRST_WRITE, int(self._phase * self._chunk))
        else:
            self._next = 0

    def due_ns(self, now_ns: int, remaining: int) -> int | None:
        """When `allowance` will be more than 0; None for a flow that is stopped or not capped."""
        if not self.rate_Bps:
            return None
        missing = (0 if self._leap else self._want(remaining)) - self._credit
        due = now_ns + int(max(missing, 0.0) * 1e9 / self.rate_Bps)
        return -(-due // _GRID_NS) * _GRID_NS

    def _want(self, remaining: int) -> int:
        return min(self._next or self._chunk, remaining)

    def _earn(self, now_ns: int) -> None:
        if self.rate_Bps:
            self._credit = min(self._depth, self._credit + self.rate_Bps * (now_ns - self._stamp_ns) / 1e9)
        self._stamp_ns = now_ns

    def _chunk_of(self, rate_Bps: float) -> int:
        segment = self._segment
        chunk = int(rate_Bps * self._write_ns / 1e9)
        if chunk >= segment:
            return min(chunk // segment * segment, _LARGEST_WRITE)
        return min(segment, max(int(rate_Bps * self._write_ns * _FILL / 1e9), _SMALLEST_WRITE))
