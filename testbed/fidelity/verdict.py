"""The shape of a judgement: checks, each with its figure and its limit, and the verdict of the worst of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VALID = "valid"
DEGRADED = "degraded"
"""The machine was disturbed: the figures may be off, the run still exits with 0."""
INVALID = "invalid"
"""The testbed could not carry the plan: the figures are not those of the network that was asked for."""
_WORST_FIRST = (INVALID, DEGRADED, VALID)
_EXIT_STATUS = {VALID: 0, DEGRADED: 0, INVALID: 3}


@dataclass(frozen=True)
class Check:
    """One check: a figure, the limit it is held to, and what came of it."""

    name: str
    figure: float
    bound: str
    """'at most' or 'at least': on which side of the limit the figure belongs."""
    limit: float
    """Beyond it the check is no longer valid."""
    unit: str
    verdict: str
    words: str = ""
    """Cause and remedy where the verdict is not valid."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Further figures that explain the first."""

    def __str__(self) -> str:
        """'start skew p99: 4.2 ms (at most 3 ms): degraded'."""
        return (
            f"{self.name}: {_number(self.figure)}{_spaced(self.unit)} "
            f"({self.bound} {_number(self.limit)}{_spaced(self.unit)}): {self.verdict}"
        )


@dataclass(frozen=True)
class Verdict:
    """What the checks say together. `unmeasured`: check -> why it could not be made."""

    checks: tuple[Check, ...]
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The worst of the checks: invalid, degraded or valid."""
        return worst(check.verdict for check in self.checks)

    @property
    def exit_status(self) -> int:
        """0 for valid and degraded, 3 for invalid."""
        return _EXIT_STATUS[self.verdict]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that are not valid, worst first."""
        bad = [check for check in self.checks if check.verdict != VALID]
        return tuple(sorted(bad, key=lambda check: _WORST_FIRST.index(check.verdict)))

    def document(self) -> dict[str, Any]:
        """As plain data, the form of fidelity.json."""
        return {
            "verdict": self.verdict,
            "checks": [{**asdict(check), "details": dict(check.details)} for check in self.checks],
            "unmeasured": dict(self.unmeasured),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Verdict:
        """Back from the form of fidelity.json."""
        checks = []
        for fields in document["checks"]:
            figure = fields["figure"]
            checks.append(Check(**{**fields, "figure": math.nan if figure is None else figure}))
        return Verdict(tuple(checks), dict(document["unmeasured"]))


def worst(verdicts: Iterable[str]) -> str:
    """The worst of some verdicts; valid where there are none."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), VALID)


def at_most(
    name: str, figure: float, unit: str, *, degraded: float | None = None, invalid: float | None = None,
    words: str, details: Mapping[str, float] | None = None,
) -> Check:  # fmt: skip
    """A check of a figure that should be small: degraded above one limit, invalid above the other (either or both)."""
    limits = [limit for limit in (degraded, invalid) if limit is not None]
    return _check(name, figure, unit, "at most", min(limits), words, details,
                  is_invalid=invalid is not None and not figure <= invalid,
                  is_degraded=degraded is not None and not figure <= degraded)  # fmt: skip


def at_least(
    name: str, figure: float, unit: str, *, degraded: float | None = None, invalid: float | None = None,
    words: str, details: Mapping[str, float] | None = None,
) -> Check:  # fmt: skip
    """A check of a figure that should be large: degraded below one limit, invalid below the other (either or both)."""
    limits = [limit for limit in (degraded, invalid) if limit is not None]
    return _check(name, figure, unit, "at least", max(limits), words, details,
                  is_invalid=invalid is not None and not figure >= invalid,
                  is_degraded=degraded is not None and not figure >= degraded)  # fmt: skip


def _check(
    name: str, figure: float, unit: str, bound: str, limit: float, words: str, details: Mapping[str, float] | None,
    *, is_invalid: bool, is_degraded: bool,
) -> Check:  # fmt: skip
    verdict = INVALID if is_invalid else DEGRADED if is_degraded else VALID
    said = "" if verdict == VALID else words
    return Check(name, float(figure), bound, float(limit), unit, verdict, said, details or {})


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""
