"""Reading specs: YAML files and overrides to typed models, or one SpecError that shows every mistake.

Public: `load_experiment`, `load_topology`, `load_workload`, `spec_kind`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from testbed.calibration.proposal import Proposal
from testbed.errors import SchedulerError, SpecError, unknown_name
from testbed.spec.decentralised import mistakes_without_coordinator
from testbed.spec.document import Key, Node, read_document
from testbed.spec.experiment import ExperimentSpec
from testbed.spec.faults import mistakes_among_faults
from testbed.spec.files import beside, is_folder, missing_file
from testbed.spec.overrides import parse_override, parse_path, replaced
from testbed.spec.quantities import shown
from testbed.spec.references import hosts_named, mistakes_among, vias_named
from testbed.spec.topology import TOPOLOGY_KINDS, AnyTopology, BigSwitchSpec
from testbed.spec.validation import Mistakes, validate
from testbed.spec.variation import point_title
from testbed.spec.workload import WORKLOAD_KINDS, AnyWorkload, ExplicitSpec, TraceSpec, WorkloadSpec

MAX_VARIANTS = 10_000
_PARTS = ("topology", "workload")
_Part = TypeVar("_Part", bound=BaseModel)


@dataclass(frozen=True)
class Variant:
    """An experiment with one combination of what it varies."""

    values: dict[str, Any]
    """Field path -> value, as `vary` has them; empty where nothing is varied."""
    spec: ExperimentSpec
    document: Node
    proposal: Proposal | None = None
    """What `link.rate: auto` became, once planning has put it into `spec`; None where a rate was given."""

    @property
    def title(self) -> str:
        """'load=0.3, sync=10 ms': the combination in short; '' where nothing varies that a run would not say itself."""
        return point_title(self.values)

    def error(self, path: tuple[Key, ...], message: str) -> SpecError:
        """An error about a field, with the file and line it stands on."""
        return self.document.error(path, message)


@dataclass(frozen=True)
class Experiment:
    """An experiment as read: every combination of what it varies, each valid."""

    name: str
    """The file's name without its extension."""
    path: Path
    variants: tuple[Variant, ...]

    @property
    def spec(self) -> ExperimentSpec:
        """The first combination; the only one where nothing is varied."""
        return self.variants[0].spec


def spec_kind(path: Path) -> str:
    """Which kind of spec a file is: topology, workload or experiment."""
    document = read_document(path)
    kind = document.find(("kind",))
    if kind is not None:
        for what, kinds in (("topology", TOPOLOGY_KINDS), ("workload", WORKLOAD_KINDS)):
            if isinstance(kind.value, str) and kind.value in kinds:
                return what
        raise document.error(("kind",), unknown_name("kind", kind.text, [*TOPOLOGY_KINDS, *WORKLOAD_KINDS]))
    if isinstance(document.value, dict) and {"topology", "workload", "schedulers"} & set(document.value):
        return "experiment"
    raise SpecError(
        f"{document.place}: neither a topology nor a workload (they have a key 'kind') nor an experiment "
        "(it has the keys topology, workload and schedulers)"
    )


def load_topology(path: Path) -> AnyTopology:
    """The topology in a file; SpecError shows every mistake."""
    return _load_part(path, "topology", TOPOLOGY_KINDS)


def load_workload(path: Path) -> AnyWorkload:
    """The workload in a file; SpecError shows every mistake. A trace file must exist; it is not read yet."""
    return _load_part(path, "workload", WORKLOAD_KINDS)


def _load_part(path: Path, what: str, kinds: dict[str, type[_Part]]) -> _Part:
    document = read_document(path)
    mistakes = Mistakes()
    part = _validated_part(document, (), what, kinds, mistakes)
    mistakes.raise_any()
    assert part is not None
    return part


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in a file, with overrides of the form 'topology.link.rate=20 Mbit/s' applied in order.

    `scheduler=NAME` replaces the list of schedulers. SpecError shows every mistake; one in an override names it.
    """
    document = read_document(path)
    if not isinstance(document.value, dict):
        raise document.error((), "expected a mapping with the keys topology, workload and schedulers")
    settings = [parse_override(text) for text in overrides]
    document = _with(document, settings)
    loader = _Loader()
    variants = tuple(loader.variant(values, each) for values, each in _combinations(document))
    return Experiment(path.stem, path, variants)


def _with(document: Node, settings: Sequence[tuple[tuple[Key, ...], Node]]) -> Node:
    """The document with fields replaced: whole parts first, then fields inside them, for which files are read."""
    whole = [setting for setting in settings if len(setting[0]) == 1]
    for path, value in whole:
        document = replaced(document, path, value)
    for part in _PARTS:
        document = _embedded(document, part)
    for path, value in settings:
        if len(path) > 1:
            document = replaced(document, path, value)
    return document


def _embedded(document: Node, part: str) -> Node:
    """The document with the file that `part` names in place of its name."""
    name = document.find((part,))
    if name is None or not isinstance(name.value, str):
        return document
    file = beside(name.source.directory, name.value)
    missing = missing_file(file, "a YAML file")
    if missing:
        raise document.error((part,), missing)
    found = read_document(file)
    if isinstance(found.value, str):  # a name again; it would be followed like this one
        raise found.error((), f"expected a {part} (a mapping with the key 'kind'), found {shown(found.value)}")
    return replaced(document, (part,), found)


def _combinations(document: Node) -> Iterator[tuple[dict[str, Any], Node]]:
    """Each combination of `vary`, the last field changing fastest, with the document it gives."""
    vary = document.find(("vary",))
    if vary is None or not vary.value or not isinstance(vary.value, dict):
        yield {}, document
        return
    paths, values = [], []
    for key, node in vary.value.items():
        try:
            paths.append(parse_path(str(key)))
        except ValueError as error:
            raise document.error(("vary", key), str(error)) from None
        if not isinstance(node.value, list) or not node.value:
            raise document.error(("vary", key), "expected a list of values")
        values.append(node.value)
    total = 1
    for choices in values:
        total *= len(choices)
    if total > MAX_VARIANTS:
        raise document.error(("vary",), f"{total} combinations; expected at most {MAX_VARIANTS}")
    fixed = Node(document.source, document.line, {key: node for key, node in document.value.items() if key != "vary"},
                 document.key_lines)  # fmt: skip
    for combination in itertools.product(*values):
        settings = list(zip(paths, combination, strict=True))
        yield (
            {str(key): node.plain() for key, node in zip(vary.value, combination, strict=True)},
            _with(fixed, settings),
        )


class _Loader:
    """Validates the variants of one experiment; what they share is validated once."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[Node, Any]] = {}
        self.schedulers: set[str] = set()

    def variant(self, values: dict[str, Any], document: Node) -> Variant:
        mistakes = Mistakes()
        plain = {key: node.plain() for key, node in document.value.items() if key not in _PARTS}
        topology = self.part(document, "topology", TOPOLOGY_KINDS, mistakes)
        workload = self.part(document, "workload", WORKLOAD_KINDS, mistakes)
        stand_in = BigSwitchSpec(kind="big-switch", ports=2)  # so that mistakes beside a wrong part are found too
        for part, model, instead in (("topology", topology, stand_in), ("workload", workload, _any_workload())):
            if document.find((part,)) is not None:
                plain[part] = model if model is not None else instead
        spec = validate(ExperimentSpec, document, (), mistakes, plain)
        if spec is not None:
            self.check_schedulers(spec, document, mistakes)
            for where, message in mistakes_without_coordinator(spec):
                mistakes.add(document, where, message)
        if topology is not None and workload is not None:
            check_places(topology, workload, document, mistakes)
        mistakes.raise_any()
        assert spec is not None
        return Variant(values, spec, document)

    def part(self, document: Node, part: str, kinds: dict[str, type[Any]], mistakes: Mistakes) -> Any:
        node = document.find((part,))
        if node is None:
            return None
        if id(node) not in self.parts:
            self.parts[id(node)] = (node, _validated_part(document, (part,), part, kinds, mistakes))
        return self.parts[id(node)][1]

    def check_schedulers(self, spec: ExperimentSpec, document: Node, mistakes: Mistakes) -> None:
        from testbed.scheduling import registry

        for i, scheduler in enumerate(spec.schedulers):
            if repr(scheduler) in self.schedulers:
                continue
            self.schedulers.add(repr(scheduler))
            try:
                registry.make(scheduler.name, dict(scheduler.parameters))
            except (SchedulerError, TypeError, ValueError) as error:
                mistakes.add(document, ("schedulers", i), str(error))


def _any_workload() -> AnyWorkload:
    return WORKLOAD_KINDS["synthetic"].model_validate({"kind": "synthetic"})


def _validated_part(
    root: Node, path: tuple[Key, ...], what: str, kinds: dict[str, type[_Part]], mistakes: Mistakes
) -> _Part | None:
    node = root.find(path)
    assert node is not None
    if not isinstance(node.value, dict):
        form = f"a {what} file or a {what}" if path else f"a {what}"
        mistakes.add(root, path, f"expected {form} (a mapping with the key 'kind'), found {shown(node.plain())}")
        return None
    kind = node.find(("kind",))
    if kind is None:
        mistakes.add(root, (*path, "kind"), f"missing; expected one of {', '.join(kinds)}")
        return None
    if not isinstance(kind.value, str) or kind.value not in kinds:
        mistakes.add(root, (*path, "kind"), unknown_name(f"kind of {what}", kind.text, kinds))
        return None
    model = validate(kinds[kind.value], root, path, mistakes)
    if isinstance(model, ExplicitSpec):
        for where, message in mistakes_among(model.coflows):
            mistakes.add(root, path + where, message)
    if isinstance(model, WorkloadSpec):
        for where, message in mistakes_among_faults(model.faults):
            mistakes.add(root, path + where, message)
    if model is not None and getattr(model, "applications", None) is not None:
        model = _with_folder(model, root, path, mistakes)
    if isinstance(model, TraceSpec):
        file = beside(root.find((*path, "file")).source.directory, model.file)  # type: ignore[union-attr]
        missing = missing_file(file, "a trace file")
        if missing:
            mistakes.add(root, (*path, "file"), missing)
        return model.model_copy(update={"file": os.fspath(file)})
    return model


def _with_folder(model: _Part, root: Node, path: tuple[Key, ...], mistakes: Mistakes) -> _Part:
    """The workload with the folder of its applications found."""
    assert isinstance(model, WorkloadSpec)
    assert model.applications is not None
    here = (*path, "applications")
    folder = root.find((*here, "folder"))
    node = folder or root.find(here)
    assert node is not None
    found = beside(node.source.directory, model.applications.folder)
    if not is_folder(found):
        mistakes.add(root, (*here, "folder"), f"{found}: no such folder; expected the one that the commands run in")
    programs = model.applications.model_copy(update={"folder": os.fspath(found)})
    return model.model_copy(update={"applications": programs})


def check_places(topology: AnyTopology, workload: AnyWorkload, document: Node, mistakes: Mistakes) -> None:
    """Note every host and every `via` of the workload that the topology does not have."""
    hosts, vias = topology.host_count, topology.via_count
    named = list(hosts_named(workload.coflows)) if isinstance(workload, ExplicitSpec) else []
    if workload.background is not None:
        for i, flow in enumerate(workload.background.long):
            named += [(("background", "long", i, "from"), flow.src), (("background", "long", i, "to"), flow.dst)]
    if workload.applications is not None:
        for i, program in enumerate(workload.applications.commands):
            named += [(("applications", "commands", i), host) for host in program.places]
    for path, host in named:
        if host >= hosts:
            message = f"host {host} is out of range: {topology.title} has the hosts 0 to {hosts - 1}"
            mistakes.add(document, ("workload", *path), message)
    for path, via in vias_named(workload.coflows) if isinstance(workload, ExplicitSpec) else ():
        if via >= vias:
            has = f"has the core switches 0 to {vias - 1}" if vias else "has no core switches to choose from"
            has = has.replace("core switches", "spines") if topology.kind == "leaf-spine" else has
            mistakes.add(document, ("workload", *path), f"via {via} is out of range: {topology.title} {has}")
