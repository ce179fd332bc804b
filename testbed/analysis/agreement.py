"""How far the emulated network and the simulator agree, in figures: one row per experiment and scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.analysis.figure_data import Agreement, agreements
from testbed.analysis.tables import print_table

LEAST_GAMMA_S = 0.2
"""Coflows of a smaller Gamma are dominated by round trips and TCP's slow start, which the simulator does not have."""


class AgreementRow(TypedDict):
    """Emulated against simulated CCT of one scheduler, over coflows of Gamma >= LEAST_GAMMA_S.

    NaN where there is no such coflow.
    """

    experiment: str
    scheduler: str
    coflows: int
    """Coflows that the figures are over."""
    of: int
    """Coflows that finished both ways, those of smaller Gamma too."""
    deviation_median: float
    """Median of |emulated / simulated - 1|."""
    deviation_p90: float
    """Its 90th percentile."""
    ratio_of_means: float
    """Mean CCT emulated over mean CCT simulated, of the same coflows."""


def agreement_rows(coflows: pd.DataFrame, baseline: str | None) -> list[AgreementRow]:
    """The table, from analysis.coflows.coflow_frame; no rows where no coflow was both emulated and simulated."""
    return [
        _row(str(experiment), agreement)
        for experiment, part in coflows.groupby("experiment", sort=True)
        for agreement in agreements(part, baseline)
    ]


def _row(experiment: str, agreement: Agreement) -> AgreementRow:
    long = agreement.gamma_s >= LEAST_GAMMA_S
    deviation = np.abs(agreement.ratio[long] - 1)
    none = len(deviation) == 0
    nan = float("nan")
    return AgreementRow(
        experiment=experiment,
        scheduler=agreement.scheduler,
        coflows=len(deviation),
        of=len(long),
        deviation_median=nan if none else float(np.median(deviation)),
        deviation_p90=nan if none else float(np.percentile(deviation, 90)),
        ratio_of_means=nan if none else float(agreement.emulated_s[long].mean() / agreement.simulated_s[long].mean()),
    )


def show_agreement(console: Console, rows: Sequence[AgreementRow]) -> None:
    """Print the table with a line that says what it is; nothing where there are no rows."""
    if not rows:
        return
    several = len({row["experiment"] for row in rows}) > 1
    table = Table(title_justify="left")
    for heading in ["experiment"] * several + ["scheduler"]:
        table.add_column(heading, no_wrap=True)
    for heading in ("coflows", "median |ratio-1|", "90 %", "ratio of means"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        cells = [row["experiment"]] * several + [row["scheduler"], f"{row['coflows']} of {row['of']}"]
        known = row["coflows"] > 0
        cells += [f"{row[name]:.1%}" if known else "-" for name in ("deviation_median", "deviation_p90")]
        table.add_row(*cells, f"{row['ratio_of_means']:.3f}" if known else "-")
    console.print(Text(f"emulated / simulated CCT, coflows of Gamma >= {LEAST_GAMMA_S * 1000:g} ms:"))
    print_table(console, table)
