"""Starting os_ken with a listening socket of our own.

os_ken's own start-up listens on a configured port in a thread of its own, where "address already in use" is lost, and
takes port 0 for its default port. Here the socket is bound before anything starts, by us or by our parent.
"""

from __future__ import annotations

import logging
import socket

from os_ken import cfg
from os_ken.base.app_manager import AppManager, OSKenApp
from os_ken.controller.controller import datapath_connection_factory
from os_ken.controller.ofp_handler import OFPHandler
from os_ken.lib import hub

from controller.app import RulesApp
from controller.ledger import Ledger
from controller.requests import Requests
from testbed.rules.model import Rules

LOG = logging.getLogger("controller")

ECHO_INTERVAL_S = 1.0
UNANSWERED_ECHOES = 3
"""A switch that leaves more than this many without reply is dead. os_ken asks none unless told to, and without them it
notices not even that a connection was closed."""


class Listener(OFPHandler):  # type: ignore[misc]  # os_ken has no types
    """os_ken's OpenFlow protocol handler, accepting switches from a socket that already listens."""

    def __init__(self, listening: socket.socket) -> None:
        super().__init__()
        self._listening = listening

    def start(self) -> None:
        """Begin to accept switches."""
        OSKenApp.start(self)
        hub.spawn(self._accept)

    def _accept(self) -> None:
        try:
            while True:
                connection, address = self._listening.accept()
                hub.spawn(datapath_connection_factory, connection, address)
        except Exception:  # the hub would end this thread without a word
            LOG.exception("no longer accepting switches")


def start_app(rules: Rules, ledger: Ledger, listening: socket.socket) -> RulesApp:
    """Start the application in this process; it then runs in os_ken's threads until the process ends.

    Once per process: os_ken keeps its applications in a global table.
    """
    cfg.CONF(args=[], project="coflow-testbed", default_config_files=[])
    cfg.CONF.set_override("echo_request_interval", ECHO_INTERVAL_S)
    cfg.CONF.set_override("maximum_unreplied_echo_requests", UNANSWERED_ECHOES)
    manager = AppManager.get_instance()
    protocol = manager.instantiate(Listener, listening)
    app: RulesApp = manager.instantiate(RulesApp, rules, ledger, Requests())
    app.start()
    protocol.start()
    return app
