"""`python -m controller`: the OpenFlow application as a process of its own.

It has to be one: os_ken cannot be stopped from within (its threads never end), only its process can.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import click

from testbed.errors import EmulationError
from testbed.rules.model import rules_from_json

LOG = logging.getLogger("controller")

BACKLOG = 1024
"""Every switch of a large fabric connects at the same moment."""

LEAST_TOKEN = 16
"""Characters of a token; fewer could be tried out."""

ENDING = (signal.SIGTERM, signal.SIGINT)
"""Waited for with sigwait: a handler that sets an event deadlocks where it interrupts the wait for that event."""


@click.command()
@click.option("--rules", "rules_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Rules document (testbed.rules.model.Rules.to_json).")  # fmt: skip
@click.option("--listen", required=True, help="Where switches connect: 127.0.0.1:PORT, or fd:N (a listening socket).")
@click.option(
    "--northbound",
    required=True,
    help="Where questions are answered: a unix socket to create, 127.0.0.1:PORT, or fd:N.",
)
@click.option(
    "--token",
    "token_from",
    required=True,
    help="Where the northbound token is read: a file, or fd:N. Never the token itself.",
)
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input ends: so it never outlives a parent.")
def main(rules_file: Path, listen: str, northbound: str, token_from: str, until_stdin_closes: bool) -> None:
    """Give every OpenFlow 1.3 switch that connects its rules; end on SIGTERM or SIGINT."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # for every thread: only the wait at the end takes them
    if until_stdin_closes:
        threading.Thread(target=_await_end_of_input, daemon=True).start()
    try:
        rules = rules_from_json(rules_file.read_text(encoding="utf-8"))
    except EmulationError as error:
        raise click.ClickException(f"{rules_file}: {error}") from None
    token = _token(token_from)
    switches, questions = _listener(listen, "--listen"), _northbound_listener(northbound)

    os.environ["OSKEN_HUB_TYPE"] = "native"  # read when os_ken is imported; our waits need real threads
    from controller.answers import make_routes
    from controller.ledger import ErrorReport, Ledger
    from controller.northbound import Northbound
    from controller.southbound import start_app

    ledger = Ledger(rules)
    logging.getLogger().addHandler(ErrorReport(ledger))
    threading.excepthook = lambda failed: LOG.error(
        "thread %s failed", failed.thread and failed.thread.name,
        exc_info=failed.exc_value or True,
    )  # fmt: skip
    Northbound(questions, token, make_routes(start_app(rules, ledger, switches))).start()
    LOG.info("listening on %s:%d for %d switches", *switches.getsockname(), len(rules.switches))

    signal.sigwait(ENDING)
    LOG.info("ends")
    if northbound.startswith("/"):
        Path(northbound).unlink(missing_ok=True)
    logging.shutdown()
    os._exit(0)


def _await_end_of_input() -> None:
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _listener(where: str, option: str) -> socket.socket:
    """A socket that listens on loopback."""
    if where.startswith("fd:"):
        return socket.socket(fileno=_descriptor(where, option))
    host, _, port = where.rpartition(":")
    try:
        loopback = ipaddress.IPv4Address(host).is_loopback and 0 <= int(port) <= 65535
    except ValueError:
        loopback = False
    if not loopback:
        raise click.BadParameter(
            f"'{where}': expected a loopback address and port, such as 127.0.0.1:6653", param_hint=option
        )
    try:
        return socket.create_server((host, int(port)), backlog=BACKLOG)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {where}: {os.strerror(error.errno or 0)}; choose another port"
        ) from None


def _northbound_listener(where: str) -> socket.socket:
    """A listening socket: a unix one where a path is given."""
    if not where.startswith("/"):
        return _listener(where, "--northbound")
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(where)
    except OSError as error:
        raise click.ClickException(
            f"cannot create {where}: {error.strerror or error}; remove it or choose another"
        ) from None
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


def _token(where: str) -> str:
    """The first line of a file or descriptor."""
    try:
        opened = _descriptor(where, "--token") if where.startswith("fd:") else where
        with open(opened, encoding="utf-8") as file:
            token = file.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read the token from {where}: {error}") from None
    if len(token) < LEAST_TOKEN:
        raise click.ClickException(f"the token in {where} has {len(token)} characters; expected {LEAST_TOKEN} or more")
    return token


def _descriptor(where: str, option: str) -> int:
    try:
        return int(where.removeprefix("fd:"))
    except ValueError:
        raise click.BadParameter(f"'{where}': expected fd:N, N being an open descriptor", param_hint=option) from None


if __name__ == "__main__":
    main()
