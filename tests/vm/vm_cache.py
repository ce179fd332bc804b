"""Disks that are made once and kept, each in a folder named by a hash of all that decides what is in it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from testbed.emulation.command import run
from testbed.emulation.image import CACHE

BUILD_TIMEOUT_S = 600.0


def content(parts: Iterable[str]) -> str:
    """A short hash of the parts of a recipe."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def cached(kind: str, parts: Iterable[str], make: Callable[[Path], None]) -> Path:
    """The folder of a recipe in the cache, filled by `make` where it is not there; older ones of its kind go."""
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    target = CACHE / f"{kind}-{content(parts)}"
    with (CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            fresh = CACHE / f"{kind}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            try:
                make(fresh)
                for old in CACHE.glob(f"{kind}-*"):
                    shutil.rmtree(old)
                fresh.rename(target)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return target


def make_disk(folder: Path, disk: Path, spare_bytes: int = 0) -> None:
    """An ext4 disk with the contents of a folder, and room for so much more."""
    used = sum(path.lstat().st_size + 4096 for path in folder.rglob("*"))
    size = (used * 5 // 4 + spare_bytes + (64 << 20)) >> 20
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(folder), str(disk), f"{size}M"], timeout_s=BUILD_TIMEOUT_S)


def link_or_copy(source: Path, target: Path) -> None:
    """The same file at another place, without its bytes a second time where that goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
