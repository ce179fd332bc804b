"""The queueing of ports, put into the kernel by tc in one batch, read back and compared.

1:     htb          root (or below a netem stage 2:, where the link has delay or loss)
1:1    class        the link: rate = ceil
1:10.. class        one per traffic class of the port: class k is 1:1k
10:..  bfifo        the class's queue, or where flows have queues of their own an HTB (`flow_queues`)
u32    filters      packets of DSCP k go to class k; all others to the first
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from testbed.emulation import tc_text
from testbed.emulation.command import batch
from testbed.emulation.flow_queues import compare_flow_queues, flow_queue_commands, verify_flow_filters
from testbed.emulation.netns import Netns
from testbed.emulation.port_trees import FIRST_CLASS, PortTree, TrafficClass
from testbed.errors import EmulationError

_DSCP_MASK = 0xFC
"""The rest of the TOS byte is ECN."""
_TICK_S = 64e-9
"""What tc rounds the time of a burst to."""

_CLASS = re.compile(
    r"class htb 1:(?P<minor>\S+)(?:.*?prio (?P<priority>\d+) quantum (?P<quantum>\d+))?"
    r".*? rate (?P<rate>\S+) ceil (?P<ceil>\S+) "
    r".*?\bburst (?P<burst>[^/ ]+)\S* .*?cburst (?P<cburst>[^/ ]+)"
)
_LEAF = re.compile(r"qdisc bfifo (?P<handle>\S+): parent 1:(?P<minor>\S+) limit (?P<limit>\S+)")
_FILTERS = re.compile(r"^filter .* u32 chain 0 fh 800: ht divisor 1 *$", re.MULTILINE)
_FILTER = re.compile(r"flowid 1:(?P<minor>\S+).*\n\s+match (?P<value>[0-9a-f]{8})/(?P<mask>[0-9a-f]{8}) at 0")


def tree_commands(tree: PortTree) -> list[str]:
    """Lines for `tc -batch` that make a tree on an interface that has none."""
    device, burst = tree.interface, tree.burst_bytes
    tokens = f"burst {burst} cburst {burst}"
    lines, parent = [], "root"
    if tree.delay_s or tree.loss:
        lines.append(f"qdisc add dev {device} root handle 2: {_netem(tree)}")
        parent = "parent 2:1"
    lines.append(f"qdisc add dev {device} {parent} handle 1: htb default {FIRST_CLASS:x}")
    link = _rates(tree.rate_bps, tree.rate_bps)
    lines.append(f"class add dev {device} parent 1: classid 1:1 htb {link} {tokens} quantum {tree.frame_bytes}")
    for minor, leaf in enumerate(tree.classes, start=FIRST_CLASS):
        rates = f"{_rates(leaf.rate_bps, leaf.ceil_bps)} prio {leaf.priority} {tokens}"
        quantum = _quantum(tree, leaf)
        lines.append(f"class add dev {device} parent 1:1 classid 1:{minor:x} htb {rates} quantum {quantum}")
        if tree.flow_queues:
            lines += flow_queue_commands(tree, minor, leaf)
        else:
            lines.append(f"qdisc add dev {device} parent 1:{minor:x} handle {minor:x}: bfifo limit {leaf.buffer_bytes}")
    for flow_class, tos in _filters(tree):
        match = f"u32 match ip tos 0x{tos:02x} 0x{_DSCP_MASK:02x} flowid 1:{flow_class}"
        lines.append(f"filter add dev {device} parent 1: protocol ip prio 1 {match}")
    return lines


def shape(trees: Sequence[PortTree], netns_of: Netns | None = None) -> None:
    """Make the trees of one network namespace in one batch, read them back in one, and compare."""
    batch("tc", (line for tree in trees for line in tree_commands(tree)), netns_of=netns_of)
    verify(trees, netns_of)


def retune(trees: Sequence[PortTree], netns_of: Netns | None = None) -> None:
    """Give the trees of interfaces the rates of these in one batch, read them back and compare; queues stay."""
    lines = [line for tree in trees for line in tree_commands(tree) if line.startswith("class add ")]
    batch("tc", [line.replace("class add", "class change", 1) for line in lines], netns_of=netns_of)
    verify(trees, netns_of)


def verify(trees: Sequence[PortTree], netns_of: Netns | None = None) -> None:
    """Compare what the kernel has with the trees; EmulationError names the interface, the figure and the wanted one."""
    shows = (f"{what} show dev {tree.interface}" for tree in trees for what in ("qdisc", "class"))
    text = batch("tc", shows, "-details", netns_of=netns_of)
    sections = re.split(r"^(?=qdisc \S+ \S+ root )", text, flags=re.MULTILINE)[1:]
    if len(sections) != len(trees):  # an interface that is down, or gone, may show nothing at all
        for tree in trees if len(trees) > 1 else ():
            verify([tree], netns_of)
        sections = [text] * len(trees)
    for tree, section in zip(trees, sections, strict=True):
        _compare(tree, section)
    if filtered := [tree for tree in trees if _filters(tree)]:
        _verify_filters(filtered, netns_of)
    if split := [tree for tree in trees if tree.flow_queues]:
        verify_flow_filters(split, netns_of)


def _verify_filters(trees: Sequence[PortTree], netns_of: Netns | None) -> None:
    text = batch("tc", (f"filter show dev {tree.interface} parent 1:" for tree in trees), netns_of=netns_of)
    sections = _FILTERS.split(text)[1:]
    if len(sections) != len(trees) and len(trees) > 1:  # some interface shows none at all
        for tree in trees:
            _verify_filters([tree], netns_of)
        return
    for tree, section in zip(trees, sections or [""], strict=True):
        found = {
            match["minor"]: int(match["value"], 16) >> 16
            for match in _FILTER.finditer(section)
            if int(match["mask"], 16) >> 16 == _DSCP_MASK
        }
        if found != dict(_filters(tree)):
            raise EmulationError(
                f"interface {tree.interface}: filters send TOS bytes to classes as {_filter_words(found)}, expected "
                f"{_filter_words(dict(_filters(tree)))}; something else configures this interface"
            )


def _filters(tree: PortTree) -> list[tuple[str, int]]:
    """Class number and TOS byte of every class but the first, which takes what no filter matches."""
    return [(f"{FIRST_CLASS + dscp:x}", dscp << 2) for dscp in range(1, len(tree.classes))]


def _filter_words(filters: dict[str, int]) -> str:
    return ", ".join(f"0x{tos:02x} to 1:{minor}" for minor, tos in sorted(filters.items())) or "none"


def _compare(tree: PortTree, text: str) -> None:
    slack = 0.02 * tree.burst_bytes + tree.rate_bps / 8 * _TICK_S + 16
    leaf_classes = {f"{minor:x}": leaf for minor, leaf in enumerate(tree.classes, start=FIRST_CLASS)}
    link = TrafficClass(tree.rate_bps, tree.rate_bps, buffer_bytes=0)
    if not re.search(rf"^qdisc htb 1: .*default 0x{FIRST_CLASS:x}\b", text, re.MULTILINE):
        raise EmulationError(f"interface {tree.interface}: no HTB tree of ours; tc shows: {text.strip() or 'nothing'}")
    classes = {match["minor"]: match for match in _CLASS.finditer(text)}
    leaves = {match["minor"]: tc_text.size(match["limit"]) for match in _LEAF.finditer(text)}
    for minor, wanted in {"1": link, **leaf_classes}.items():
        rate, ceil = wanted.rate_bps, wanted.ceil_bps
        if minor not in classes:
            raise EmulationError(f"interface {tree.interface}: class 1:{minor} is missing; tc shows: {text.strip()}")
        found = classes[minor]
        _same(tree, minor, "rate in bit/s", tc_text.rate(found["rate"]), rate, 0.001 * rate + 8)
        _same(tree, minor, "ceil in bit/s", tc_text.rate(found["ceil"]), ceil, 0.001 * ceil + 8)
        if found["quantum"] is not None:  # only leaves have one
            _same(tree, minor, "quantum", float(found["quantum"]), _quantum(tree, wanted), 0)
            _same(tree, minor, "prio", float(found["priority"]), wanted.priority, 0)
        _same(tree, minor, "burst in bytes", tc_text.size(found["burst"]), tree.burst_bytes, slack)
        _same(tree, minor, "cburst in bytes", tc_text.size(found["cburst"]), tree.burst_bytes, slack)
    for minor, leaf in leaf_classes.items():
        if tree.flow_queues:
            compare_flow_queues(tree, minor, leaf, text)
        else:
            _same(tree, minor, "buffer in bytes", leaves.get(minor, 0.0), leaf.buffer_bytes, 16)


def _same(tree: PortTree, minor: str, what: str, found: float, wanted: float, slack: float) -> None:
    if abs(found - wanted) > slack:
        raise EmulationError(
            f"interface {tree.interface}: class 1:{minor}: {what} is {found:g}, expected {wanted:g}; "
            "something else configures this interface, or this kernel cannot hold the value"
        )


def _quantum(tree: PortTree, leaf: TrafficClass) -> int:
    return round(leaf.turn_frames * tree.frame_bytes)


def _netem(tree: PortTree) -> str:
    """The stage that delays and loses before the queue; it must hold all that is under way."""
    waiting = tree.delay_s * tree.rate_bps / 8 + sum(leaf.buffer_bytes for leaf in tree.classes)
    words = [f"netem limit {max(1000, math.ceil(2 * waiting / 64))}"]
    if tree.delay_s:
        words.append(f"delay {round(tree.delay_s * 1e6)}us")
    if tree.loss:
        words.append(f"loss {tree.loss * 100:.5f}%")
    return " ".join(words)


def _rates(rate_bps: float, ceil_bps: float) -> str:
    return f"rate {round(rate_bps)}bit ceil {round(ceil_bps)}bit"
