"""Faults of the testbed itself: `python tests/reliability [--kills N] [--seed N] ...`; `make faults` runs it.

Each try is one line of JSON in a file, so that the tries can be made in pieces, with another seed for each.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import click  # noqa: E402
from strikes import Try, interrupt, kill, undisturbed  # noqa: E402
from sweeps import resume  # noqa: E402
from victims import SPECS  # noqa: E402

ASKING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def instants(count: int, life_s: float, drawn: random.Random) -> list[float]:
    """Instants spread evenly over a life: one in each of `count` equal parts of it."""
    return [(place + drawn.random()) * life_s / count for place in range(count)]


def schedule(count: int, lives: dict[str, float], drawn: random.Random) -> list[tuple[str, float]]:
    """(datapath, instant) of the tries, the datapaths in turn."""
    names = [list(lives)[number % len(lives)] for number in range(count)]
    drawn_s = {name: iter(instants(names.count(name), life_s, drawn)) for name, life_s in lives.items()}
    return [(name, next(drawn_s[name])) for name in names]


def tell(done: Try, out: Path) -> None:
    """Print a try, and add it to the file."""
    with out.open("a") as file:
        file.write(done.line() + "\n")
    click.echo(
        f"{done.what} {done.datapath} at {done.at_s:.2f} s ({done.phase}): {done.removed} removed in "
        f"{done.clean_s:.1f} s; records: {done.records}; " + ("as before" if not done.faults else "FAULTS")
    )
    for fault in done.faults:
        click.echo(f"  {fault}")


@click.command()
@click.option("--kills", type=click.IntRange(min=0), default=50, show_default=True, help="Runs that get SIGKILL.")
@click.option("--signals", type=click.IntRange(min=0), default=12, show_default=True, help="SIGTERM, SIGHUP, SIGINT.")
@click.option("--cleans", type=click.IntRange(min=0), default=6, show_default=True, help="As kills, and clean too.")
@click.option("--sweeps", type=click.IntRange(min=0), default=2, show_default=True, help="Sweeps killed and resumed.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the instants.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/faults.jsonl"), show_default=True)
def main(kills: int, signals: int, cleans: int, sweeps: int, seed: int, out: Path) -> None:
    """Strike runs at random instants of their life, and compare all of the machine before and after; needs root."""
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn, done = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="coflow-faults-") as name:
        root = Path(name)
        (root / "life").mkdir()
        lives = {datapath: undisturbed(root / "life", datapath) for datapath in SPECS}
        click.echo("undisturbed: " + ", ".join(f"{datapath} {life_s:.1f} s" for datapath, life_s in lives.items()))
        for number, (datapath, at_s) in enumerate(schedule(kills, lives, drawn)):
            done.append(kill(fresh(root, f"kill-{number}"), datapath, at_s))
            tell(done[-1], out)
        for number, (datapath, at_s) in enumerate(schedule(signals, lives, drawn)):
            folder, which = fresh(root, f"signal-{number}"), ASKING[number % len(ASKING)]
            done.append(interrupt(folder, datapath, at_s, which, 1 + number // len(ASKING) % 2))
            tell(done[-1], out)
        for number, (datapath, at_s) in enumerate(schedule(cleans, lives, drawn)):
            clean_at_s = 0.3 + 1.5 * drawn.random()  # it takes about 2 s, the first 0.3 of them to begin
            done.append(kill(fresh(root, f"clean-{number}"), datapath, at_s, clean_at_s))
            tell(done[-1], out)
        for number in range(sweeps):
            done.append(resume(fresh(root, f"sweep-{number}"), drawn.random()))
            tell(done[-1], out)
    tally = Counter(each.what for each in done)
    good = Counter(each.what for each in done if not each.faults)
    for what, count in tally.items():
        click.echo(f"{what}: {good[what]} of {count} survived")
    sys.exit(1 if any(each.faults for each in done) else 0)


def fresh(root: Path, name: str) -> Path:
    """A new folder."""
    (root / name).mkdir()
    return root / name


if __name__ == "__main__":
    main()
