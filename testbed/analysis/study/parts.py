"""From the runs of a sweep to its section of the report, whichever part of the study it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testbed.analysis.study.behind import behind
from testbed.analysis.study.behind_part import behind_section
from testbed.analysis.study.sections import Section
from testbed.analysis.study.shares import shares
from testbed.analysis.study.shares_part import shares_section
from testbed.errors import RecordsError
from testbed.records.run_directory import Run


def section(name: str, entries: Sequence[tuple[dict[str, Any], Run]]) -> Section:
    """The section of a sweep by its finished runs and their varied values; RecordsError where it is no known part."""
    first = entries[0][1]
    stated = first.plan.spec["workload"].get("unlabelled") or {}
    if stated.get("coflow") is not None:
        return behind_section(name, behind([run for _, run in entries]))
    if stated.get("share") is not None:
        return shares_section(name, str(first.manifest["workload"]), shares(entries))
    raise RecordsError(
        f"{name}: its workload takes no labels away; a sweep of a study has `unlabelled: {{coflow: ID, flows: N}}` or "
        "`unlabelled: {share: 0.3}`"
    )
