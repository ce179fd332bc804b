"""A run on Open vSwitch's kernel datapath in a virtual machine, and what must be true of it; `make test-vm` runs it.

The machine boots Debian's own kernel under qemu, emulated in software, without a network device. Root and packages are
made once and kept in the cache of the testbed. Results and console stay in the folder --out.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
os.environ["NUMBA_DISABLE_JIT"] = "1"  # for a handful of flows, compiling takes longer than computing

import click  # noqa: E402
from vm_checks import CHECKS, read_results  # noqa: E402
from vm_machine import boot  # noqa: E402
from vm_packages import packages_disk  # noqa: E402
from vm_root import root_disk  # noqa: E402

from testbed.errors import TestbedError  # noqa: E402


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/vm"), help="Made anew each time.")
@click.option("--accel", type=click.Choice(["tcg", "kvm"]), default="tcg", show_default=True, help="kvm: /dev/kvm.")
@click.option("--deadline", type=float, default=600.0, show_default=True, help="Seconds for the virtual machine.")
@click.option("--again", is_flag=True, help="Only check the results of the last time once more.")
def main(out: Path, accel: str, deadline: float, again: bool) -> None:
    """Boot, run, and check; ends with 1 where something is not as it must be."""
    try:
        if not again:
            shutil.rmtree(out, ignore_errors=True)
            root, packages = root_disk(click.echo), packages_disk(click.echo)
            boot(root, packages, out, accel, deadline, click.echo)
        results = read_results(out / "results")
    except TestbedError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    failed = 0
    for check in CHECKS:
        try:
            click.echo(f"ok      {check(results)}")
        except AssertionError as error:
            failed += 1
            click.echo(f"FAILED  {check.__name__}: {error}")
    click.echo(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed; console and records: {out}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
