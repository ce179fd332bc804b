"""What coordinator and actor, and two actors, agree on. The messages are described in docs/replay.md."""

from __future__ import annotations

import struct

VERSION = 2
"""Of the control protocol; both ends must have the same."""

HEADER = struct.Struct("!8sQQ")
"""First bytes on a data connection, sent when it is opened: magic, flow id, bytes of the flow that follow."""

MAGIC = b"coflow\x00\x01"

LONGEST_LINE = 64_000_000
"""Bytes of one message; more is not ours."""


class ProtocolError(Exception):
    """The other end said something that this version does not understand; the text says what."""
