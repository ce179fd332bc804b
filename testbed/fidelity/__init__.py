"""Whether a run can be trusted: checks on its outcome, and the verdict they add up to."""

from testbed.fidelity.assessment import assess
from testbed.fidelity.verdict import DEGRADED, INVALID, VALID, Check, Verdict

__all__ = ["DEGRADED", "INVALID", "VALID", "Check", "Verdict", "assess"]
