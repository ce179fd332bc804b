"""How late a loop's timers run, counted in steps of a quarter of an octave: a few numbers, however long a run is."""

from __future__ import annotations

STEPS = 100
"""The last one, from some 60 s on, takes all that is later."""
_UNIT_BITS = 10
"""The finest step is 1024 ns."""


class Lateness:
    """A histogram; noting a value costs less than a microsecond."""

    def __init__(self) -> None:
        self._counts = [0] * STEPS

    def note(self, late_ns: int) -> None:
        """Count one timer."""
        self._counts[step_of(late_ns)] += 1

    def take(self) -> list[int]:
        """Timers per step, as far as there are any; begins anew."""
        counts, self._counts = self._counts, [0] * STEPS
        while counts and not counts[-1]:
            counts.pop()
        return counts


def step_of(late_ns: int) -> int:
    """The step that a lateness falls into."""
    units = late_ns >> _UNIT_BITS
    octave = max(units.bit_length() - 3, 0)
    return min((octave << 2) + (units >> octave), STEPS - 1)


def least_ns(step: int) -> int:
    """The least lateness that falls into a step; that of the next one bounds it."""
    octave = max((step >> 2) - 1, 0)
    return (step - (octave << 2)) << octave << _UNIT_BITS
