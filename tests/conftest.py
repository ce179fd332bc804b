"""For all tests: SIGINT works, also where the tests were started in the background with it ignored; and no calibration
of the machine that they run on changes what they see."""

from __future__ import annotations

import os
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["COFLOW_CALIBRATION"] = ""
