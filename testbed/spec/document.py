"""YAML to plain data that remembers where every value stands.

Only plain data: mappings, lists, text, numbers, true, false, null. Aliases are allowed; what they expand to, the depth
and the size of a file are bounded, so that no file can exhaust memory. A key given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.errors import SpecError

MAX_FILE_BYTES = 8_000_000
MAX_NODES = 1_000_000
"""Keys and values in a document after its aliases are expanded."""
MAX_DEPTH = 40
LONGEST_MESSAGE = 1000
"""Characters that an error says about one place."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_FLOAT = re.compile(r"[+-]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][+-]?[0-9]{1,6})?")
_WORDS: dict[str, bool | float | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    ".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip

Scalar = bool | int | float | str | None
Key = str | int


@dataclass(frozen=True)
class Source:
    """Where text came from: a file, or an option of the command line."""

    name: str
    """As the user wrote it: 'workloads/a.yml', '--set seed=3'."""
    directory: Path
    """What relative file names in it are relative to."""
    has_lines: bool = True


@dataclass(slots=True)  # not frozen: a large file has a million, and a frozen one takes thrice as long to make
class Node:
    """A value with the line it stands on. `value` is a scalar, a list of nodes, or a mapping to nodes.

    Never changed once made: parts of documents are shared.
    """

    source: Source
    line: int
    value: Any
    key_lines: dict[Key, int] = field(default_factory=dict)
    """Line of each key of a mapping (a value may begin below its key)."""
    nodes: int = 1
    """Number of values in it, itself included, aliases expanded."""
    height: int = 0
    """Levels of mappings and lists below it, aliases expanded."""

    @property
    def place(self) -> str:
        """'file:line', or the option it came from."""
        return f"{self.source.name}:{self.line}" if self.source.has_lines else self.source.name

    @property
    def text(self) -> str:
        """A scalar as an error quotes it; a mapping or list by its kind."""
        if isinstance(self.value, (dict, list)):
            return "a mapping" if isinstance(self.value, dict) else "a list"
        return str(self.value)

    def plain(self) -> Any:
        """The value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, key: Key) -> Node | None:
        """The value of a key or list index; None where there is none."""
        if isinstance(self.value, list):
            return self.value[key] if isinstance(key, int) and 0 <= key < len(self.value) else None
        return self.value.get(key) if isinstance(self.value, dict) else None

    def find(self, path: tuple[Key, ...]) -> Node | None:
        """The value at a path of keys and list indexes; None where there is none."""
        node = self
        for key in path:
            child = node.child(key)
            if child is None:
                return None
            node = child
        return node

    def place_of(self, path: tuple[Key, ...]) -> str:
        """'file:line' of the key or item at a path, or of the nearest thing around it that exists."""
        node = self
        place = self.place
        for key in path:
            child = node.child(key)
            if child is None:
                break
            line = node.key_lines.get(key, child.line) if child.source is node.source else child.line
            place = f"{child.source.name}:{line}" if child.source.has_lines else child.source.name
            node = child
        return place

    def error(self, path: tuple[Key, ...], message: str) -> SpecError:
        """The one form of an error in a spec: `file:line: path.to[2].field: message`."""
        where = f"{cut(path_text(path), 300)}: " if path else ""
        return SpecError(f"{self.place_of(path)}: {where}{cut(message, LONGEST_MESSAGE)}")


def path_text(path: tuple[Key, ...]) -> str:
    """'coflows[2].flows[0].to' of ('coflows', 2, 'flows', 0, 'to')."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def read_document(path: Path) -> Node:
    """The YAML document in a file; SpecError where it is missing, too large or not plain YAML."""
    source = Source(str(path), path.parent)
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
            raise SpecError(f"{path}: {what}; expected a YAML file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise SpecError(f"{path}: file has {size} bytes; expected at most {MAX_FILE_BYTES}")
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text (byte {error.start}); expected a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise SpecError(f"{path}: cannot be read ({error}); expected a YAML file") from None
    return parse_document(text, source)


def parse_document(text: str, source: Source) -> Node:
    """The one YAML document in `text`; SpecError where it is not plain YAML or holds no document."""
    composer = _Composer(source)
    try:
        node = composer.compose(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source.name}:{mark.line + 1}" if mark is not None and source.has_lines else source.name
        raise SpecError(f"{place}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{source.name}: not valid YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise SpecError(f"{source.name}: empty; expected a YAML document")
    return node


_NO_LINES: dict[Key, int] = {}


class _Composer:
    """Builds nodes from parser events, with bounds on what it builds."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def compose(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.error(event, "a second document; expected one")
                root = self.node(next(events), events, 0)
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.count(event, 1)
        self.bound_depth(event, depth)
        if event.tag is not None and event.tag != "!":
            raise self.error(event, f"tag '{event.tag}' is not understood; expected plain values without tags")
        if isinstance(event, yaml.ScalarEvent):
            node = self.made(event, self.scalar(event), [])
        elif isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event_of_item := next(events), yaml.SequenceEndEvent):
                items.append(self.node(event_of_item, events, depth + 1))
            node = self.made(event, items, items)
        else:
            node = self.mapping(event, events, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def mapping(self, start: Any, events: Iterator[Any], depth: int) -> Node:
        entries: dict[Key, Node] = {}
        lines: dict[Key, int] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.node(event, events, depth + 1).value
            if isinstance(key, bool) or not isinstance(key, (str, int)):
                raise self.error(event, f"key {_shown(key)} is neither text nor a whole number")
            if key in entries:
                raise self.error(event, f"key '{key}' is given twice; the first is on line {lines[key]}")
            lines[key] = event.start_mark.line + 1
            entries[key] = self.node(next(events), events, depth + 1)
        return self.made(start, entries, list(entries.values()), lines)

    def alias(self, event: Any, depth: int) -> Node:
        if event.anchor not in self.anchors:
            raise self.error(event, f"alias '*{event.anchor}' has no anchor before it")
        node = self.anchors[event.anchor]
        self.count(event, node.nodes)
        self.bound_depth(event, depth + node.height)
        return node

    def scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if not event.implicit[0]:  # quoted
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
            return float(text)
        return text

    def count(self, event: Any, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self.error(event, f"more than {MAX_NODES} keys and values once aliases are expanded")

    def bound_depth(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.error(event, f"nested deeper than {MAX_DEPTH} levels")

    def made(self, event: Any, value: Any, below: list[Node], key_lines: dict[Key, int] | None = None) -> Node:
        nodes = 1 + sum([child.nodes for child in below])
        height = 1 + max([child.height for child in below]) if below else 0
        return Node(self.source, event.start_mark.line + 1, value, key_lines or _NO_LINES, nodes, height)

    def error(self, event: Any, message: str) -> SpecError:
        place = f"{self.source.name}:{event.start_mark.line + 1}" if self.source.has_lines else self.source.name
        return SpecError(f"{place}: {cut(message, LONGEST_MESSAGE)}")


def cut(text: str, most: int) -> str:
    """Text as an error quotes it: of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _shown(value: object) -> str:
    return "{...}" if isinstance(value, dict) else "[...]" if isinstance(value, list) else repr(value)
