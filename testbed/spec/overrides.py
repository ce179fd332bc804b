"""Field paths such as `topology.link.rate` or `schedulers[2].sync`, and documents with one field replaced."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from testbed.errors import SpecError
from testbed.spec.document import MAX_DEPTH, Key, Node, Source, cut, parse_document, path_text
from testbed.spec.quantities import shown

_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[[0-9]{1,9}\])*")
_STEP = re.compile(r"([\w-]+)|\[([0-9]+)\]")

_LONGEST_SHOWN = 200


def parse_path(text: str) -> tuple[Key, ...]:
    """('schedulers', 2, 'sync') of 'schedulers[2].sync'; ValueError where it is no path."""
    if _PATH.fullmatch(text) is None:
        form = "'topology.link.rate' or 'schedulers[0].sync'"
        raise ValueError(f"{shown(text)} is not a field path; expected the form {form}")
    path = tuple(int(index) if index else word for word, index in _STEP.findall(text))
    if len(path) > MAX_DEPTH:
        raise ValueError(f"{shown(text)} is a path of {len(path)} steps; expected at most {MAX_DEPTH}")
    return path


def parse_override(text: str) -> tuple[tuple[Key, ...], Node]:
    """Path and value of an option `--set PATH=VALUE`; the value is read as YAML."""
    source = Source(f"--set {cut(text, _LONGEST_SHOWN)}", Path(), has_lines=False)
    path, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise SpecError(f"{source.name}: expected the form --set topology.link.rate='20 Mbit/s'")
    try:
        return parse_path(path.strip()), parse_document(value, source)
    except ValueError as error:
        raise SpecError(f"{source.name}: {error}") from None


def replaced(node: Node, path: tuple[Key, ...], value: Node, done: tuple[Key, ...] = ()) -> Node:
    """The document with `value` at `path`; missing mappings on the way are made. The original stays as it is.

    `scheduler` stands for the whole list `schedulers`, with that one entry.
    """
    if not done and path == ("scheduler",):
        path, value = ("schedulers",), replace(value, value=[value])
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(node.value, list):
        if not isinstance(key, int) or key >= len(node.value):
            raise SpecError(
                f"{value.place}: {path_text(done)} is a list of {len(node.value)}; "
                f"expected an index such as {path_text((*done, 0))}"
            )
        items = list(node.value)
        items[key] = replaced(items[key], rest, value, (*done, key))
        return replace(node, value=items)
    if isinstance(node.value, dict) or node.value is None:
        entries: dict[Key, Node] = dict(node.value or {})
        named: Key = next((known for known in entries if str(known) == str(key)), key)
        child = entries.get(named, Node(value.source, value.line, {}))
        entries[named] = replaced(child, rest, value, (*done, key))
        return replace(node, value=entries)
    raise SpecError(
        f"{value.place}: {path_text(done)} is {shown(node.value)}, which has no '{key}' inside; "
        "expected a mapping there"
    )
