"""From an experiment to its plans: one for every combination it varies, every repeat, every scheduler.

Deterministic: the same specs and seed give the same plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from testbed.calibration.proposal import Proposal, propose
from testbed.calibration.store import REMEDY, stored
from testbed.coflow import NONE, FlowTable
from testbed.errors import CalibrationError, SpecError
from testbed.fabric import Fabric
from testbed.plan import Address, ApplicationSetting, HostSetting, Plan, Program, SchedulerSetting, TcpSetting
from testbed.spec.reader import Experiment, Variant
from testbed.spec.topology import DEFAULT_RATE_BPS, AnyTopology
from testbed.spec.workload import AnyWorkload, ApplicationSpec, ExplicitSpec, SyntheticSpec, TraceSpec
from testbed.topology.addressing import addresses
from testbed.topology.build import build_fabric
from testbed.topology.routing import choose, paths
from testbed.units import format_rate, format_size
from testbed.workload.background import with_background
from testbed.workload.draft import Draft, empty_draft
from testbed.workload.explicit import explicit_draft
from testbed.workload.faults import planned_faults
from testbed.workload.labels import unlabel
from testbed.workload.placement import Placement, place
from testbed.workload.selection import select
from testbed.workload.synthetic import generate
from testbed.workload.trace import Trace, read_trace


def make_plans(experiment: Experiment, *, seed: int | None = None) -> Iterator[Plan]:
    """The plans of an experiment, in the order in which they run: by combination, by repeat, by scheduler.

    Repeat r has the seed `seed + r`; `seed` is the experiment's own where it is None. Plans that differ only in the
    scheduler share their tables. SpecError where a workload and a topology do not fit.
    """
    for _, plan in planned_variants(experiment, seed=seed):
        yield plan


def planned_variants(experiment: Experiment, *, seed: int | None = None) -> Iterator[tuple[Variant, Plan]]:
    """As `make_plans`, each plan with the combination that it was made from."""
    planner = _Planner(experiment.name)
    for variant in map(planner.with_rate, experiment.variants):
        first_seed = variant.spec.seed if seed is None else seed
        for repeat in range(variant.spec.repeats):
            plan = planner.plan(variant, first_seed + repeat, repeat)
            for scheduler in variant.spec.schedulers:
                yield variant, plan.with_scheduler(SchedulerSetting(scheduler.name, dict(scheduler.parameters)))


def plan_variant(name: str, variant: Variant, seed: int, repeat: int, scheduler: SchedulerSetting) -> Plan:
    """One plan of the experiment of that name, as `make_plans` makes it; `seed` is the repeat's own."""
    planner = _Planner(name)
    return planner.plan(planner.with_rate(variant), seed, repeat).with_scheduler(scheduler)


class _Planner:
    """Makes plans, and makes once what several of them share: fabrics and traces."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fabrics: list[tuple[AnyTopology, bool, Fabric, tuple[Address, ...]]] = []
        self.traces: dict[str, Trace] = {}
        self.chosen: list[tuple[AnyTopology, AnyTopology, Proposal]] = []

    def with_rate(self, variant: Variant) -> Variant:
        """The variant with the rate that the stored calibration proposes in the place of `auto`."""
        topology = variant.spec.topology
        if topology.link.rate != "auto":
            return variant
        for known, chosen, proposal in self.chosen:
            if known is topology:
                return replace(variant, spec=variant.spec.model_copy(update={"topology": chosen}), proposal=proposal)
        try:
            proposal = automatic_rate(topology)
        except CalibrationError as error:
            raise variant.error(("topology", "link", "rate"), f"auto: {error}") from None
        link = topology.link.model_copy(update={"rate": proposal.rate_bps})
        self.chosen.append((topology, topology.model_copy(update={"link": link}), proposal))
        return self.with_rate(variant)

    def plan(self, variant: Variant, seed: int, repeat: int) -> Plan:
        """The plan of one combination and repeat, under its first scheduler."""
        spec = variant.spec
        fabric, hosts = self.network(variant)
        draft = self.draft(variant, fabric, seed).in_order()
        if spec.workload.unlabelled is not None:
            draft = unlabel(draft, spec.workload.unlabelled, seed, variant.error)
        if spec.workload.background is not None:
            draft = with_background(draft, spec.workload.background, len(fabric.hosts), seed).in_order()
        ecmp = spec.topology.routing.ecmp
        via = choose(fabric, draft.src, draft.dst, ecmp, seed, draft.via)
        path_ptr, path_links = paths(fabric, draft.src, draft.dst, via)
        first = spec.schedulers[0]
        return Plan(
            experiment=f"{self.name}({point})" if (point := variant.title) else self.name,
            topology=_topology_title(spec.topology),
            workload=_workload_title(variant, draft),
            scheduler=SchedulerSetting(first.name, dict(first.parameters)),
            seed=seed,
            repeat=repeat,
            fabric=fabric,
            addresses=hosts,
            coflows=draft.coflows,
            flows=FlowTable(
                coflow=draft.coflow,
                label=draft.label,
                src=draft.src,
                dst=draft.dst,
                bytes=draft.bytes,
                start_s=draft.start_s,
                via=via,
                path_ptr=path_ptr,
                path_links=path_links,
                after=draft.after,
                delay_s=draft.delay_s,
            ),
            ecmp=ecmp,
            queueing=spec.topology.link.queueing,
            datapath=spec.topology.datapath,
            enforcement=spec.enforcement,
            metering=spec.metering,
            marking=spec.marking,
            control=spec.control,
            backends=spec.backends,
            unlabelled_class=spec.workload.unlabelled_class,
            tcp=_tcp(spec.topology),
            host=_host(spec.topology),
            applications=_applications(spec.workload),
            faults=planned_faults(spec.workload.faults, fabric, variant.error),
            spec=_document(variant),
            calibration={} if variant.proposal is None else {"rate": asdict(variant.proposal)},
            notes=_rate_notes(variant) + draft.notes + _routing_notes(ecmp, draft),
        )

    def network(self, variant: Variant) -> tuple[Fabric, tuple[Address, ...]]:
        """Fabric and addresses; no addresses where the scheme has none for a plan that is only simulated."""
        topology, emulates = variant.spec.topology, "emulation" in variant.spec.backends
        for known, emulated, fabric, hosts in self.fabrics:
            if known is topology and emulated == emulates:
                return fabric, hosts
        fabric = build_fabric(topology)
        try:
            hosts = addresses(fabric)
        except SpecError as error:
            if emulates:
                raise variant.error(("topology",), str(error)) from None
            hosts = ()
        self.fabrics.append((topology, emulates, fabric, hosts))
        return fabric, hosts

    def draft(self, variant: Variant, fabric: Fabric, seed: int) -> Draft:
        """The workload between the fabric's hosts."""
        workload, hosts = variant.spec.workload, len(fabric.hosts)
        if isinstance(workload, ExplicitSpec):
            return explicit_draft(workload)
        if isinstance(workload, ApplicationSpec):
            return empty_draft()
        drop_loopback = workload.loopback == "drop" or "emulation" in variant.spec.backends
        if isinstance(workload, SyntheticSpec):
            rate_Bps = fabric.links[fabric.uplink[0]].capacity_Bps
            try:
                generated = generate(workload.parameters, hosts, seed, rate_Bps)
            except SpecError as error:
                raise variant.error(("workload",), str(error)) from None
            return place(generated.coflows, Placement(hosts, hosts, drop_loopback=drop_loopback), variant.error)
        trace = self.trace(workload)
        placement = Placement(
            ports=trace.ports,
            hosts=hosts,
            folding=workload.ports,
            megabyte=workload.megabyte,
            size_scale=workload.scale.size,
            time_scale=workload.scale.time,
            merge=workload.merge == "pair"
            or (workload.merge is None and trace.ports > hosts and workload.ports != "drop"),
            drop_loopback=drop_loopback,
        )
        return place(select(trace, workload, variant.error), placement, variant.error)

    def trace(self, workload: TraceSpec) -> Trace:
        """The trace file of a workload, read once."""
        if workload.file not in self.traces:
            self.traces[workload.file] = read_trace(Path(workload.file))
        return self.traces[workload.file]


def automatic_rate(topology: AnyTopology) -> Proposal:
    """What the stored calibration proposes for a topology whose rate is `auto`; CalibrationError where none serves."""
    calibration = stored()
    if calibration is None:
        raise CalibrationError(
            f"no calibration of this machine is stored; {REMEDY}, or write a rate such as '20 Mbit/s'"
        )
    datapath = calibration.datapath_of(topology.datapath)
    any_rate = topology.model_copy(update={"link": topology.link.model_copy(update={"rate": DEFAULT_RATE_BPS})})
    cost = calibration.datapaths[datapath].cost
    return propose(build_fabric(any_rate), datapath, cost, calibration.origin)


def _rate_notes(variant: Variant) -> tuple[str, ...]:
    return () if variant.proposal is None else (variant.proposal.note,)


def _topology_title(topology: AnyTopology) -> str:
    goodput = topology.link.goodput
    rate = format_rate(topology.link.rate_bps) if goodput is None else f"goodput {format_size(goodput / 8)}/s"
    return f"{topology.title}, {rate}"


def _workload_title(variant: Variant, draft: Draft) -> str:
    workload = variant.spec.workload
    if isinstance(workload, TraceSpec):
        name = Path(workload.file).name
    elif isinstance(workload, SyntheticSpec):
        name = f"synthetic, load {workload.load:g}"
    else:
        node = variant.document.find(("workload",))
        name = workload.kind if node is None or node.source is variant.document.source else Path(node.source.name).stem
    count = len(draft.coflows)
    return f"{name}, {count} coflow{'' if count == 1 else 's'}"


def _tcp(topology: AnyTopology) -> TcpSetting:
    tcp = topology.tcp
    return TcpSetting(tcp.congestion, tcp.initcwnd, tcp.rto_min, tcp.ecn, tcp.window)


def _host(topology: AnyTopology) -> HostSetting:
    hosts = topology.hosts
    return HostSetting(hosts.image, hosts.memory, hosts.cpus)


def _applications(workload: AnyWorkload) -> ApplicationSetting:
    stated = workload.applications
    if stated is None:
        return ApplicationSetting()
    programs = (Program(host, program.command) for program in stated.commands for host in program.places)
    return ApplicationSetting(stated.folder, tuple(programs), stated.deadline)


def _document(variant: Variant) -> dict[str, Any]:
    document: dict[str, Any] = variant.spec.model_dump(mode="json", by_alias=True)
    del document["vary"]
    return {**document, "varied": variant.values} if variant.values else document


def _routing_notes(ecmp: str, draft: Draft) -> tuple[str, ...]:
    notes = []
    if ecmp == "hash":
        notes.append("ecmp hash: paths are a seeded stand-in for the switches' own hash, which an emulation uses")
    ignored = int(np.count_nonzero(draft.via != NONE))
    if ecmp != "per-flow" and ignored:
        notes.append(f"flows that state a via, which ecmp {ecmp} ignores: {ignored}")
    return tuple(notes)
