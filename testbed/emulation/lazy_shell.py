"""Mininet nodes whose shell starts when somebody types a command, not for every node at every bring-up."""

from __future__ import annotations

from typing import Any

from mininet.node import Node


class LazyShell(Node):  # type: ignore[misc]  # mininet has no types
    """Mix-in before a Mininet node class; `enter` is what brings a program to where the node is."""

    isSetup = True
    """Mininet's own check wants ifconfig, and ends the process where the system's Open vSwitch does not run."""
    enter: tuple[str, ...] = ()
    constructed = False
    pid: Any

    def startShell(self, mnopts: str | None = None) -> None:
        """Mininet calls this while it constructs the node: not yet."""

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command in the node's shell and return what it printed."""
        if not self.constructed:  # Mininet would configure interfaces one by one, which is done in batches
            return ""
        self._open_shell()
        return super().cmd(*args, **kwargs)

    def sendCmd(self, *args: Any, **kwargs: Any) -> Any:
        """Send a command to the node's shell without waiting for it."""
        self._open_shell()
        return super().sendCmd(*args, **kwargs)

    def popen(self, *args: Any, **kwargs: Any) -> Any:
        """A subprocess.Popen where the node is."""
        kwargs.setdefault("mncmd", ["mnexec", "-d"])
        return super().popen(*args, **kwargs)

    def _open_shell(self) -> None:
        if not self.shell:
            pid = self.pid
            super().startShell("-cd")
            self.pid = pid if pid is not None else self.pid

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        return super()._popen([*self.enter, *cmd], **params)
