"""Nodes to typed models: what pydantic finds wrong, in the testbed's words and with file and line."""

from __future__ import annotations

import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from testbed.errors import SpecError, unknown_name
from testbed.spec.document import Key, Node, path_text
from testbed.spec.quantities import shown

MAX_SHOWN = 20
"""Mistakes listed in one error; more are counted."""

Model = TypeVar("Model", bound=BaseModel)


class Spec(BaseModel):
    """Base of all spec models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Mistakes:
    """Collects every mistake of one load, to show them together."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, node: Node, path: tuple[Key, ...], message: str) -> None:
        """Note a mistake at a path of the document `node`."""
        self.lines.append(str(node.error(path, message)))

    def add_error(self, error: SpecError) -> None:
        """Note a mistake that is already worded."""
        self.lines.append(str(error))

    def raise_any(self) -> None:
        """SpecError with all mistakes, one a line; nothing where there is none."""
        if not self.lines:
            return
        lines = list(dict.fromkeys(self.lines))
        if len(lines) > MAX_SHOWN:
            lines[MAX_SHOWN:] = [f"... and {len(lines) - MAX_SHOWN} more mistakes"]
        raise SpecError("\n".join(lines))


def validate(
    model: type[Model], root: Node, path: tuple[Key, ...], mistakes: Mistakes, plain: Any = None
) -> Model | None:
    """The part of a document at `path` as a model; None (and the mistakes noted) where it is not one.

    `plain` is that part as plain data where some of it is a model already.
    """
    node = root.find(path)
    assert node is not None, path
    try:
        return model.model_validate(node.plain() if plain is None else plain)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            where = tuple(key for key in detail["loc"] if key != "[key]")
            mistakes.add(root, path + where, _message(model, where, detail))
        return None


def _message(model: type[BaseModel], where: tuple[Key, ...], detail: Any) -> str:
    kind, found = detail["type"], detail["input"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "extra_forbidden":
        around = _type_at(model, where[:-1])
        return unknown_name("key", where[-1], _keys(around))
    if kind == "missing":
        return f"missing; expected {_described(model, where)}"
    if kind == "literal_error":
        names = [str(choice) for choice in get_args(_type_at(model, where))]
        field = next(key for key in reversed(where) if isinstance(key, str))
        return unknown_name(field, found, names)
    if kind in ("model_type", "model_attributes_type"):
        return f"expected a mapping of {', '.join(sorted(_keys(_type_at(model, where))))}; found {shown(found)}"
    if kind == "dict_type":
        return f"expected a mapping, found {shown(found)}"
    if kind == "tuple_type":
        return f"expected a list, found {shown(found)}"
    if kind == "string_type":
        return f"expected text, found {shown(found)}"
    return f"{detail['msg']}, found {shown(found)}"


def _keys(model: Any) -> list[str]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [info.alias or field for field, info in model.model_fields.items()]


def _described(model: type[BaseModel], where: tuple[Key, ...]) -> str:
    around = _type_at(model, where[:-1])
    for field, info in around.model_fields.items():
        if (info.alias or field) == where[-1] and info.description:
            return str(info.description)
    return f"the key '{path_text(where[-1:])}'"


def _type_at(model: Any, where: tuple[Key, ...]) -> Any:
    """The declared type (a model, a Literal, ...) at a place in a model."""
    current: Any = model
    for key in where:
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {info.alias or field: info.annotation for field, info in current.model_fields.items()}
            current = _bare(fields.get(str(key)))
        elif get_origin(current) is dict:
            current = _bare(get_args(current)[1])
        elif get_origin(current) in (tuple, list):
            current = _bare(get_args(current)[0])
    return current


def _bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
