"""Which coflows of a trace are used."""

from __future__ import annotations

from testbed.spec.workload import TraceSpec
from testbed.workload.draft import Blame
from testbed.workload.trace import Trace, TraceCoflow

MAX_FLOWS = 20_000_000


def select(trace: Trace, workload: TraceSpec, blame: Blame) -> tuple[TraceCoflow, ...]:
    """The coflows within `max_width` and `max_bytes`, then `count` of them from the `first` on; or those of `ids`.

    Width and bytes are those of the file, before scaling and merging. SpecError where nothing is left or an id is
    unknown.
    """
    here = ("workload", "select")
    chosen = workload.select
    if chosen.ids is not None:
        by_id = {coflow.id: coflow for coflow in trace.coflows}
        for i, number in enumerate(chosen.ids):
            if number not in by_id:
                raise blame((*here, "ids", i), f"no coflow {number} in {workload.file}, which has {len(by_id)} coflows")
        coflows = [by_id[number] for number in chosen.ids]
    else:
        coflows = [
            coflow
            for coflow in trace.coflows
            if (chosen.max_width is None or coflow.width <= chosen.max_width)
            and (chosen.max_bytes is None or coflow.megabytes * workload.megabyte <= chosen.max_bytes)
        ]
        fitting = len(coflows)
        last = None if chosen.count is None else chosen.first + chosen.count
        coflows = coflows[chosen.first : last]
        if not coflows:
            raise blame(
                here,
                f"selects nothing: {fitting} of {len(trace.coflows)} coflows in {workload.file} are within the bounds, "
                f"and first is {chosen.first}",
            )
    flows = sum(coflow.width for coflow in coflows)
    if flows > MAX_FLOWS:
        raise blame(here, f"{flows} flows; expected at most {MAX_FLOWS}: bound them with max_width or count")
    return tuple(coflows)
