"""What a run shows where the output is not a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from testbed.display import Display
from testbed.replay.progress import Progress

LATE = Progress(
    elapsed_s=190.0,
    coflows_done=97,
    coflows=100,
    flows_done=5021,
    flows=5055,
    active_flows=34,
    bytes_done=1_370_000_000,
    bytes=1_380_000_000,
    rate_Bps=1_176_250.0,
)


def test_progress_is_one_line_however_narrow_the_log() -> None:
    log = io.StringIO()
    display = Display(Console(file=log, width=60))
    with display.live("replaying"):
        display.progress(LATE)
        display.progress(LATE)  # too soon after the last
    assert log.getvalue() == "  97 of 100 coflows, 1.37 GB of 1.38 GB, 34 flows active, 9.41 Mbit/s, 3 min 10 s\n"
