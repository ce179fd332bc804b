"""The `testbed` program: its commands, and how an error becomes an exit status."""

from __future__ import annotations

import contextlib
import errno
import importlib
import sys

import click

from testbed import __version__
from testbed.errors import TestbedError, printable
from testbed.interrupts import end_in_order

INTERRUPTED = 130
USAGE = 2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says that takes no more."""

COMMANDS = {
    "check": "Validate spec files; needs no root and no network.",
    "plan": "Print the plan of an experiment, or write it.",
    "run": "Run an experiment on the emulated network (as root) and in the simulator.",
    "simulate": "Run an experiment in the flow-level simulator; needs no root.",
    "sweep": "Run every combination of what an experiment varies; can be broken off and gone on with.",
    "study": "Run every sweep of a folder, and write one report of them.",
    "trace": "Look at, convert and generate coflow-benchmark traces.",
    "report": "Judge, summarize and plot runs.",
    "compare": "Compare schedulers over runs, by size bin, with confidence intervals.",
    "replay-decisions": "Make every decision of a run again from its records, and compare.",
    "calibrate": "Measure what this machine carries (as root), for plans and for link.rate auto.",
    "clean": "Remove what dead runs left on this machine.",
    "doctor": "Say what this machine has and lacks for emulation.",
}
"""Name -> its line of help. The module `testbed.commands.<name>` defines it as `command`."""


class _Commands(click.Group):
    """Imports a command's module only when that command is run, so that help and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"testbed.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="testbed")
def program() -> None:
    """Emulate, replay and simulate coflow workloads on one Linux machine."""


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit: 0 done, 1 failed, 2 wrong usage or spec, 3 done but invalid, 130 interrupted."""
    end_in_order()
    try:
        status = program.main(args=arguments, standalone_mode=False)
    except TestbedError as error:
        _tell(f"error: {printable(str(error))}")
        sys.exit(error.exit_status)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `testbed ... | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _tell(f"error: {error.filename or 'a file'}: cannot be written ({error.strerror}); make room there, or free it")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that is gone
        click.echo(text, err=True)
