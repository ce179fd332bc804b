"""What an experiment without a coordinator cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.errors import SchedulerError
from testbed.spec.document import Key
from testbed.spec.experiment import ExperimentSpec
from testbed.spec.workload import ExplicitSpec

ENFORCED_LOCALLY = ("none", "pacing", "queue")


def mistakes_without_coordinator(spec: ExperimentSpec) -> Iterator[tuple[tuple[Key, ...], str]]:
    """Where an experiment with `control: none` asks for what takes a coordinator, and what it could have instead."""
    from testbed.scheduling import registry
    from testbed.scheduling.local import FOLLOWED_LOCALLY, local_rule

    if spec.control != "none":
        return
    for i, setting in enumerate(spec.schedulers):
        try:
            scheduler = registry.make(setting.name, dict(setting.parameters))
        except (SchedulerError, TypeError, ValueError):
            continue  # told already
        here = ("schedulers", i)
        if local_rule(scheduler) is None:
            known = ", ".join(sorted(FOLLOWED_LOCALLY))
            yield here, f"control is none, and {setting.name} needs a coordinator; without one there are: {known}"
        elif scheduler.sync_s:
            yield here, f"control is none: {setting.name} has nobody to exchange with every sync; leave sync out"
        elif setting.name != "fair" and "simulation" in spec.backends:
            what = f"{setting.name} by each sender alone is emulated only"
            yield here, f"control is none: {what}; expected the backends [emulation]"
    for enforcement in spec.enforcement:
        if enforcement not in ENFORCED_LOCALLY:
            known = ", ".join(ENFORCED_LOCALLY)
            yield ("enforcement",), f"control is none, and {enforcement} takes a coordinator; expected one of: {known}"
    if "queue" in spec.enforcement and spec.marking != "actor":
        yield ("marking",), f"control is none, and marking {spec.marking} takes a coordinator; expected actor"
    if "queue" in spec.enforcement and spec.workload.unlabelled_class == "own":
        yield (
            ("workload", "unlabelled_class"),
            ("control is none, and a sender does not know what its unlabelled flows belong to; expected top or bottom"),
        )
    if spec.workload.applications is not None:
        yield ("workload", "applications"), "control is none, and applications register coflows with a coordinator"
    if isinstance(spec.workload, ExplicitSpec):
        for i, coflow in enumerate(spec.workload.coflows):
            if coflow.after or any(flow.after for flow in coflow.flows):
                words = "control is none, and nobody tells a sender what has finished elsewhere"
                yield ("workload", "coflows", i), f"{words}; expected an arrival, not 'after'"
