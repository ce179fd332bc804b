"""How the hot loops are compiled: numba, without the interpreter, and kept on disk between runs."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config

_F = TypeVar("_F", bound=Callable[..., Any])


def kernel(function: _F) -> _F:
    """Compile a function of arrays and numbers when it is first called; the machine code is kept on disk.

    No fast-math: sums keep their order and infinities stay infinities. Dividing by zero gives one, as in numpy.
    """
    return cast(_F, numba.njit(cache=_CACHED, error_model="numpy")(function))


def inlined(function: _F) -> _F:
    """As `kernel`, for a few lines called often: written out where they are called.

    A call that hands over a tuple of two dozen arrays costs some 400 ns.
    """
    return cast(_F, numba.njit(cache=_CACHED, error_model="numpy", inline="always")(function))


def vector_kernel(function: _F) -> _F:
    """As `kernel`, for loops over many flows: sums and minima may be taken in lanes, and no value may be NaN.

    The lanes are those of the processor, so a run repeats to the bit on one kind of machine.
    """
    lanes = {"nnan", "nsz", "reassoc"}
    return cast(_F, numba.njit(cache=_CACHED, error_model="numpy", fastmath=lanes)(function))


def _choose_cache() -> bool:
    """Have numba keep machine code in a folder named by what all kernels say; false where none can be written.

    numba itself compares only the file of the function it loads, and would go on using a kernel whose callees in
    other files have changed. The folder is in $NUMBA_CACHE_DIR, else in this package's `__pycache__`, else (an
    installed package that cannot be written) in the user's cache folder.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted([*here.glob("*.py"), *here.parent.glob("simulation/*.py")]):
        digest.update(source.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "coflow-testbed"
    given = config.CACHE_DIR  # type: ignore[attr-defined]
    for parent in [Path(given)] if given else [here / "__pycache__", user]:
        folder = parent / name
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                for old in parent.glob("kernels-*"):
                    if old != folder:
                        shutil.rmtree(old, ignore_errors=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
            return True
    return False


_CACHED = _choose_cache()
