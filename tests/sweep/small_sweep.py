"""A small experiment that varies the load: eight simulated runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

EXPERIMENT = """\
topology: {kind: fat-tree, k: 4}
workload: {kind: synthetic, coflows: 12, max_width: 10, size_scale: 0.05, min_bytes: 1 MB, max_bytes: 10 MB}
schedulers: [fair, sebf]
backends: simulation
repeats: 2
vary: {workload.load: [0.3, 0.9]}
"""

Start = Callable[..., "subprocess.Popen[str]"]
