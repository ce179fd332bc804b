"""Cables of the emulated network as Mininet knows them; they are made and shaped in batches, all at once."""

from __future__ import annotations

from typing import Any

from mininet.link import Intf, Link


class BatchedInterface(Intf):  # type: ignore[misc]  # mininet has no types
    """Knows its name and addresses; nothing is configured through it but up and down."""

    def config(self, **params: Any) -> dict[str, Any]:
        """Nothing: the whole network's interfaces are configured together."""
        return {}

    def ifconfig(self, *args: str) -> Any:
        """`up` and `down`, which is what Mininet's own `link` command asks for."""
        if args in (("up",), ("down",)):
            return self.cmd("ip link set dev", self.name, *args)
        return super().ifconfig(*args)

    def delete(self) -> None:
        """Forget the interface; it goes at the tear-down."""
        self.node.delIntf(self)
        self.link = None


class ShapedLink(Link):  # type: ignore[misc]  # mininet has no types
    """A veth pair with a queueing tree of ours at both ends."""

    def __init__(self, node1: Any, node2: Any, **params: Any) -> None:
        super().__init__(node1, node2, **{**params, "intf": BatchedInterface})

    def intfName(self, node: Any, n: int) -> str:
        """The interface's name, which the node knows from its port number."""
        return str(node.interface_name(n))

    @classmethod
    def makeIntfPair(cls, *_: Any, **__: Any) -> None:
        """Nothing: all pairs are made in one batch."""

    def stop(self) -> None:
        """Nothing: all pairs go at the tear-down."""
