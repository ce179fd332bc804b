"""The driver that turns marks into what a Linux router writes: a chain of netfilter's mangle table, as one text.

All rules of the chain are replaced at once by `iptables-restore`. They come before the routing, so that every port
behind finds the DSCP in the packet.
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.rules.flow_key import FlowKey

CHAIN = "COFLOW-MARKS"


def chain_text() -> str:
    """What `iptables-restore --noflush` reads once, before all marks."""
    return _text(f"-A PREROUTING -j {CHAIN}")


def marks_text(marks: Mapping[FlowKey, int]) -> str:
    """What it reads to have these marks and no others."""
    return _text(
        *(
            f"-A {CHAIN} -p tcp -s {flow.source} -d {flow.destination} --sport {flow.source_port} "
            f"--dport {flow.destination_port} -j DSCP --set-dscp {dscp}"
            for flow, dscp in marks.items()
        )
    )


def _text(*rules: str) -> str:
    return "\n".join(["*mangle", f":{CHAIN} - [0:0]", *rules, "COMMIT"]) + "\n"
