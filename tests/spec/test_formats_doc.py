"""docs/formats.md: its examples are valid specs, and it names every field there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from testbed.spec.experiment import ExperimentSpec
from testbed.spec.overrides import parse_path
from testbed.spec.topology import TOPOLOGY_KINDS
from testbed.spec.workload import WORKLOAD_KINDS

TEXT = (Path(__file__).parent.parent.parent / "docs/formats.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_examples_are_valid(example: str) -> None:
    document = yaml.safe_load(example)
    if "kind" in document:
        {**TOPOLOGY_KINDS, **WORKLOAD_KINDS}[document["kind"]].model_validate(document)
    elif "vary" in document:
        assert all(parse_path(path) for path in document["vary"])
    else:
        parts = {"topology": {"kind": "fat-tree", "k": 4}, "workload": {"kind": "synthetic"}}
        inline = {
            "topology": TOPOLOGY_KINDS["fat-tree"].model_validate(parts["topology"]),
            "workload": WORKLOAD_KINDS["synthetic"].model_validate(parts["workload"]),
        }
        ExperimentSpec.model_validate({**document, **inline})


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for info in annotation.model_fields.values():
            yield from models(info.annotation)
    for argument in get_args(annotation):
        yield from models(argument)


def test_every_field_is_named() -> None:
    fields = {
        info.alias or name
        for model in models(ExperimentSpec)
        for name, info in model.model_fields.items()
        if name not in ("name", "parameters")  # of a scheduler: written as one mapping
    }
    assert {"rto_min", "hosts_per_leaf", "per_second", "broadcast", "size_scale"} <= fields
    missing = sorted(name for name in fields if re.search(rf"(^|[`.{{ ]){name}[`,:.}} ]", TEXT, re.MULTILINE) is None)
    assert missing == []
