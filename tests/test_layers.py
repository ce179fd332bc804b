"""Imports point down the path of the data, and the core stays free of the emulation's packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EMULATION_PACKAGES = {"mininet", "docker", "os_ken"}
# package -> packages of the testbed that it must not import
FORBIDDEN = {
    "testbed/scheduling": {
        "spec",
        "planning",
        "simulation",
        "emulation",
        "replay",
        "records",
        "analysis",
        "commands",
        "sweep",
    },
    "testbed/simulation": {"spec", "planning", "emulation", "replay", "records", "analysis", "commands", "sweep"},
    "testbed/topology": {"scheduling", "simulation", "emulation", "replay", "records", "analysis", "commands", "sweep"},
    "testbed/workload": {"simulation", "emulation", "replay", "records", "analysis", "commands", "sweep"},
    "testbed/calibration": {
        "spec",
        "planning",
        "simulation",
        "emulation",
        "replay",
        "records",
        "analysis",
        "commands",
        "sweep",
    },
    "testbed/rules": {
        "spec",
        "planning",
        "scheduling",
        "simulation",
        "emulation",
        "replay",
        "records",
        "analysis",
        "sweep",
    },
    "testbed/replay": {
        "spec",
        "planning",
        "simulation",
        "emulation",
        "records",
        "analysis",
        "commands",
        "sweep",
        "watch",
    },
    "testbed/emulation": {"spec", "simulation", "analysis", "commands", "sweep", "watch"},
    "testbed/records": {"spec", "simulation", "emulation", "replay", "analysis", "commands", "sweep"},
    "testbed/analysis": {"spec", "planning", "simulation", "emulation", "replay", "commands", "sweep"},
    "testbed/watch": {"spec", "planning", "simulation", "emulation", "records", "analysis", "commands", "sweep"},
    "testbed/sweep": {"simulation", "emulation", "replay", "commands"},
}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules("testbed"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_emulation_imports_mininet_docker_or_os_ken(path: Path) -> None:
    if (ROOT / "testbed/emulation") in path.parents:
        return
    assert not {name for name in imports(path) if name.split(".")[0] in EMULATION_PACKAGES}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_point_down_the_path_of_the_data(folder: str) -> None:
    upward = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imports(path)
        if name.startswith("testbed.") and name.split(".")[1] in FORBIDDEN[folder]
    }
    assert not upward


def test_the_actor_needs_the_standard_library_only() -> None:
    siblings = {path.stem for path in modules("testbed/actor")}
    foreign = {
        f"{path.name} imports {name}"
        for path in modules("testbed/actor")
        for name in imports(path)
        if name.split(".")[0] not in siblings | set(sys.stdlib_module_names) | {"testbed"}
    }
    assert not foreign


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from testbed.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'numba', 'matplotlib', 'docker', 'mininet'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "simulate" in done.stdout
