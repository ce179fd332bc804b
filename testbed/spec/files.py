"""File names in specs: what they are relative to, and the words for one that is missing."""

from __future__ import annotations

import difflib
import os
from pathlib import Path


def beside(directory: Path, name: str) -> Path:
    """The file that `name` means in a spec in `directory`; without detours ('a/../b' is 'b') where that is the same."""
    path = directory / name
    short = Path(os.path.normpath(path))
    try:
        return short if not path.exists() or short.samefile(path) else path
    except (OSError, ValueError):
        return path


def is_folder(path: Path) -> bool:
    """Whether a folder is there; no name is too long, too odd or too well guarded for an answer."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def missing_file(path: Path, expected: str) -> str:
    """Why a file cannot be read, in words, with the nearest name in its folder; empty where it is there."""
    try:
        if path.is_file():
            return ""
        if path.exists():
            return f"{path}: {'a folder' if path.is_dir() else 'not a regular file'}; expected {expected}"
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError):  # too long a name, a null byte, a folder that may not be read
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    hint = f"did you mean '{path.parent / near[0]}'?" if near else f"expected {expected}"
    return f"{path}: no such file; {hint}"
