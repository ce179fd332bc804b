"""What makes two runs the same run: their plans, the scheduler and the back end, and not when or where they ran."""

from __future__ import annotations

import hashlib

import numpy as np
import orjson

from testbed.plan import Plan, SchedulerSetting

KEY_LENGTH = 12
"""Hexadecimal digits of a key: two of a million runs share one with a chance under 1 in 500."""
_NOT_THE_RUN = ("scheduler", "spec", "notes", "backends", "calibration")
"""Parts of a plan that do not decide what happens in a run, or that a key adds later."""


def plan_digest(plan: Plan) -> bytes:
    """Digest of everything in a plan but its scheduler: network, addresses, flows, settings, seed, repeat."""
    document = {name: value for name, value in plan.document().items() if name not in _NOT_THE_RUN}
    digest = hashlib.blake2b(digest_size=16)
    for table in ("coflows", "flows"):
        for name, column in document[table].items():
            if isinstance(column, np.ndarray):
                digest.update(f"{table}.{name} {column.dtype} {len(column)}".encode())
                digest.update(np.ascontiguousarray(column).tobytes())
        document[table] = {name: part for name, part in document[table].items() if not isinstance(part, np.ndarray)}
    digest.update(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS))
    return digest.digest()


def run_key(plan: bytes, scheduler: SchedulerSetting, source: str) -> str:
    """Key of a run, KEY_LENGTH hexadecimal digits. `plan`: its digest; `source`: emulation or simulation."""
    digest = hashlib.blake2b(plan, digest_size=16)
    digest.update(orjson.dumps([scheduler.name, scheduler.parameters, source], option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()[:KEY_LENGTH]
