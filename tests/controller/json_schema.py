"""As much of JSON Schema as docs/northbound.openapi.yml uses; a word that is not known here is an error."""

from __future__ import annotations

from typing import Any

_TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
          "null": type(None)}  # fmt: skip
_SAID = {"description", "format", "example", "default", "minimum", "maximum", "exclusiveMinimum"}
_KNOWN = _SAID | {"$ref", "type", "items", "prefixItems", "minItems", "maxItems", "properties", "required",
                  "additionalProperties"}  # fmt: skip


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a node refers to, or itself."""
    while "$ref" in node:
        place: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        node = place
    return node


def mistakes(document: dict[str, Any], schema: Any, value: Any, where: str = "") -> list[str]:
    """Where a value is not as its schema says."""
    if schema is True:
        return []
    if schema is False:
        return [f"{where}: not documented"]
    schema = resolve(document, schema)
    assert set(schema) <= _KNOWN, f"{where}: {set(schema) - _KNOWN}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    right = any(
        isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds
    )
    if kinds and not right:
        return [f"{where}: {value!r} is not {' or '.join(kinds)}"]
    found = []
    if isinstance(value, dict):
        found += [f"{where}.{name}: missing" for name in schema.get("required", []) if name not in value]
        for name, entry in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            found += mistakes(document, inner, entry, f"{where}.{name}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        inners = schema.get("prefixItems", [])
        for number, entry in enumerate(value):
            inner = inners[number] if number < len(inners) else schema.get("items", True)
            found += mistakes(document, inner, entry, f"{where}[{number}]")
    return found
