"""The long form of the fuzz tests: `python tests/fuzz [--inputs N] [--seed N] [TARGET ...]`; `make fuzz` runs it."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "replay"), str(HERE.parent / "rules")]

import click  # noqa: E402
from fuzzing import TARGETS, bounded_memory, fuzz  # noqa: E402


@click.command()
@click.option(
    "--inputs", type=click.IntRange(min=1), default=100_000, show_default=True, help="Inputs for each target."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Other seeds give other inputs.")
@click.argument("targets", nargs=-1, type=click.Choice(sorted(TARGETS)))
def main(inputs: int, seed: int, targets: tuple[str, ...]) -> None:
    """Feed every reader with inputs until one breaks a rule, and say how many there were."""
    warnings.simplefilter("error")
    with bounded_memory():
        for name in targets or TARGETS:
            began = time.monotonic()
            tally = fuzz(name, inputs, seed)
            took_s = time.monotonic() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
            click.echo(
                f"{name}: {tally.inputs} inputs, {tally.good} of them good, nothing found; "
                f"{took_s:.0f} s, at most {peak} MB so far"
            )


if __name__ == "__main__":
    main()
