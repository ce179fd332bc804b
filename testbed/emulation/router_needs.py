"""What a machine must have for meters and marks at Linux routers, tried in namespaces that end with the trial."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence

from testbed.emulation.command import missing_program, run
from testbed.emulation.router_edges import marks_at_edge
from testbed.emulation.router_marks import marks_text
from testbed.errors import CapabilityError, EmulationError
from testbed.plan import Plan
from testbed.rules.flow_key import FlowKey

_REDIRECT = (
    "qdisc add dev lo ingress\n"
    "filter add dev lo parent ffff: protocol ip prio 1 u32 match u32 0 0 action mirred egress redirect dev lo\n"
)


def require_edge(plan: Plan) -> None:
    """CapabilityError for the first thing that the plan's meters and marks need of routers and this machine lacks."""
    if "meter" in plan.enforcement:
        need = "enforcement 'meter' with datapath 'router' needs"
        remedy = "use pacing or queue, or another datapath"
        _try(["ip", "link", "add", "trial", "type", "ifb"], "", f"{need} interfaces of the type ifb", remedy)
        _try(["tc", "-batch", "-"], _REDIRECT, f"{need} the ingress qdisc and the action mirred", remedy)
    if marks_at_edge(plan):
        if shutil.which("iptables-restore") is None:
            raise missing_program("iptables-restore")
        need = "marking 'edge' with datapath 'router' needs netfilter's table mangle and its target DSCP"
        mark = marks_text({FlowKey("10.0.0.1", 1, "10.0.0.2", 1): 1})
        _try(["iptables-restore", "--noflush"], mark, need, "use 'marking: actor', or another datapath")


def _try(argv: Sequence[str], stdin: str, need: str, remedy: str) -> None:
    try:
        run(["unshare", "--net", *argv], stdin=stdin)
    except EmulationError as error:
        raise CapabilityError(f"{need}, which kernel {platform.release()} does not take: {error}; {remedy}") from None
