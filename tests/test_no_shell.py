"""No string of a spec can reach a shell: nothing in the testbed or the controller starts one for itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("testbed", "controller") for path in (ROOT / folder).rglob("*.py"))
SHELLS = {"sh", "bash", "dash", "/bin/sh", "/bin/bash", "/usr/bin/env"}
CALLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "eval", "exec"}
METHODS = {"os": CALLS, "subprocess": CALLS, "asyncio": CALLS, "builtins": CALLS}


def shells_in(source: str) -> list[str]:
    """What in a program would have a shell, or Python, act on text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in CALLS:
                found.append(f"{node.lineno}: {called.id}()")
            if (
                isinstance(called, ast.Attribute)
                and isinstance(called.value, ast.Name)
                and called.attr in METHODS.get(called.value.id, ())
            ):
                found.append(f"{node.lineno}: {called.value.id}.{called.attr}()")
            found += [f"{node.lineno}: shell=" for keyword in node.keywords if keyword.arg == "shell"]
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and first.value in SHELLS:
                found.append(f"{node.lineno}: [{first.value!r}, ...]")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_starts_a_shell(path: Path) -> None:
    assert shells_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(f'ls {name}', shell=True)", ["1: shell="]),
        ("os.system('ls')", ["1: os.system()"]),
        ("os.popen('ls')", ["1: os.popen()"]),
        ("run(['sh', '-c', line])", ["1: ['sh', ...]"]),
        ("eval(text)", ["1: eval()"]),
        ("subprocess.run(['ls', name])", []),
        ("host.popen(['ls'])", []),
    ],
)
def test_what_counts_as_a_shell(source: str, found: list[str]) -> None:
    assert shells_in(source) == found
