"""The testbed's Python packages, from the environment that runs this, and the actor image's root, on a disk."""

from __future__ import annotations

import configparser
import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from packaging.requirements import Requirement
from vm_cache import cached, link_or_copy, make_disk
from vm_root import ROOT

from testbed.emulation.image import cached_root, this_release
from testbed.errors import CapabilityError


def packages_disk(log: Callable[[str], None]) -> Path:
    """The disk from the cache, made first where it is not there."""
    release, ours = this_release(), "{}.{}".format(*sys.version_info)
    if release.python != ours:
        raise CapabilityError(
            f"the virtual machine runs Python {release.python} of {release.codename}, and the packages at hand are for "
            f"Python {ours}; make the virtual environment with the machine's own: make PYTHON=/usr/bin/python3 ..."
        )
    wanted, actor_root = closure(requirements()), cached_root(release, log)

    def make(folder: Path) -> None:
        log(f"copying {len(wanted)} Python packages (once)")
        for distribution in wanted.values():
            for file in distribution.files or ():
                source = Path(str(distribution.locate_file(file)))
                if ".." not in file.parts and source.is_file():
                    link_or_copy(source, folder / "packages" / file)
        link_or_copy(actor_root, folder / "packages" / actor_root.name)
        make_disk(folder / "packages", folder / "packages.ext4")
        shutil.rmtree(folder / "packages")

    parts = [actor_root.name, *(f"{name} {distribution.version}" for name, distribution in sorted(wanted.items()))]
    return cached("vm-packages", [ours, *parts], make) / "packages.ext4"


def requirements() -> list[str]:
    """What the testbed itself needs, as setup.cfg states it."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup["options"]["install_requires"].split("\n")[1:]


def closure(wanted: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """The installed distributions that requirements ask for, and all that these need in turn."""
    found: dict[str, importlib.metadata.Distribution] = {}
    asked = [(Requirement(line), "") for line in wanted]
    seen = set()
    for requirement, extra in asked:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        distribution = importlib.metadata.distribution(requirement.name)
        found[requirement.name.lower().replace("_", "-")] = distribution
        for more in ("", *requirement.extras):
            if (requirement.name, more) not in seen:
                seen.add((requirement.name, more))
                asked += [(Requirement(line), more) for line in distribution.requires or ()]
    return found
