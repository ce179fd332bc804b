"""The verdict in words: what of these runs can be trusted, what cannot, and what to change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.analysis.report import Summary
from testbed.fidelity.verdict import DEGRADED, INVALID, VALID, worst
from testbed.records.run_directory import Run

CLOSE = 0.15
"""Median deviation of emulated from simulated CCT up to which the two are said to agree."""
FEW_REPEATS = 5
"""With fewer repeats the spread from run to run is not known well."""
_ONE_BY_ONE = 3
"""More schedulers than this get one sentence together."""
_ADJECTIVES = {"emulation": "emulated", "simulation": "simulated"}
_UNSOUND = {
    DEGRADED: "A run behind it is degraded: repeat it before you quote the figure.",
    INVALID: "A run behind it is invalid: do not use the figure.",
}


@dataclass(frozen=True)
class Words:
    """Sentences under the three headings; a list may be empty."""

    trust: tuple[str, ...]
    doubt: tuple[str, ...]
    change: tuple[str, ...]


def words(runs: Sequence[Run], summary: Summary) -> Words:
    """What a reader should take from these runs, in sentences."""
    return Words(
        trust=(*_sound_runs(runs), *_clear_factors(summary), *_close(summary)),
        doubt=(*_failed_checks(runs), *_unfinished(summary), *_unclear_factors(summary), *_apart(summary)),
        change=(*_remedies(runs), *_more_repeats(runs, summary)),
    )


def _sound_runs(runs: Sequence[Run]) -> Iterator[str]:
    for source, adjective in _ADJECTIVES.items():
        sound = [run for run in runs if run.source == source and run.fidelity.verdict == VALID]
        if not sound:
            continue
        every = len(sound) == sum(run.source == source for run in runs)
        names = ", ".join(sorted({run.scheduler for run in sound}))
        who = f"All {adjective} runs ({names})" if every else f"{adjective.capitalize()} runs of {names}"
        unmeasured = sorted({name for run in sound for name in run.fidelity.unmeasured})
        but = f" Not measured, so not vouched for: {'; '.join(unmeasured)}." if unmeasured else ""
        yield f"{who}: within every limit that was checked.{but}"


def _factor_sentence(row: dict[str, Any], baseline: str | None) -> str:
    faster = row["factor"] >= 1
    times = row["factor"] if faster else 1 / row["factor"]
    low, high = sorted(
        (row["factor_low"], row["factor_high"]) if faster else (1 / row["factor_high"], 1 / row["factor_low"])
    )
    return (
        f"{_where(row)}: under {row['scheduler']} the mean CCT is {times:.2f} times "
        f"{'shorter' if faster else 'longer'} than under {baseline} (95\u00a0% interval {low:.2f} to {high:.2f}, over "
        f"{row['interval']})."
    )


def _where(row: dict[str, Any]) -> str:
    return f"{row['experiment']}, {_ADJECTIVES[row['source']]}"


def _factors(summary: Summary) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows of the schedulers beside the baseline, and the worst verdict of the two that are compared."""
    rows = [{str(key): value for key, value in row.items()} for row in summary.table.to_dict("records")]
    of_baseline = {
        (row["experiment"], row["source"]): row["verdict"]
        for row in rows
        if row["scheduler"] == summary.comparison.baseline
    }
    for row in rows:
        against = of_baseline.get((row["experiment"], row["source"]))
        if against is not None and row["scheduler"] != summary.comparison.baseline and not math.isnan(row["factor"]):
            yield row, worst((row["verdict"], against))


def _is_clear(row: dict[str, Any]) -> bool:
    """Whether the interval leaves no doubt which of the two is better."""
    return bool(row["factor_low"] > 1 or row["factor_high"] < 1)


def _clear_factors(summary: Summary) -> Iterator[str]:
    clear = [row for row, verdict in _factors(summary) if _is_clear(row) and verdict == VALID]
    for where in dict.fromkeys(map(_where, clear)):
        mine = [row for row in clear if _where(row) == where]
        if len(mine) > _ONE_BY_ONE:
            yield _many_factors(where, mine, summary.comparison.baseline)
        else:
            yield from (_factor_sentence(row, summary.comparison.baseline) for row in mine)


def _many_factors(where: str, rows: Sequence[dict[str, Any]], baseline: str | None) -> str:
    """One sentence for many schedulers, the best first."""
    best_first = sorted(rows, key=lambda row: -float(row["factor"]))
    shorter = [f"{row['scheduler']} ({row['factor']:.2f} times)" for row in best_first if row["factor"] >= 1]
    longer = [f"{row['scheduler']} ({1 / row['factor']:.2f} times)" for row in best_first if row["factor"] < 1]
    parts = [f"{word} under {', '.join(names)}" for word, names in (("shorter", shorter), ("longer", longer)) if names]
    return f"{where}: against {baseline} the mean CCT is {'; '.join(parts)}. Every 95\u00a0% interval leaves out 1."


def _unclear_factors(summary: Summary) -> Iterator[str]:
    for row, verdict in _factors(summary):
        if not _is_clear(row):
            yield (
                f"{_where(row)}: whether {row['scheduler']} is better than {summary.comparison.baseline} is open: the "
                f"factor is {row['factor']:.2f}, and no interval shows it to differ from 1."
            )
        elif verdict != VALID:
            yield f"{_factor_sentence(row, summary.comparison.baseline)} {_UNSOUND[verdict]}"


def _agreements(summary: Summary) -> Iterator[tuple[bool, str]]:
    for row in summary.agreement:
        if row["coflows"]:
            yield (
                row["deviation_median"] <= CLOSE,
                (
                    f"{row['experiment']}, {row['scheduler']}: half of the coflows have an emulated CCT within "
                    f"{_percent(row['deviation_median'])} of the simulated one, 90\u00a0% within "
                    f"{_percent(row['deviation_p90'])}; mean emulated / mean simulated is {row['ratio_of_means']:.2f}."
                ),
            )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def _close(summary: Summary) -> Iterator[str]:
    return (text for close, text in _agreements(summary) if close)


def _apart(summary: Summary) -> Iterator[str]:
    return (text for close, text in _agreements(summary) if not close)


def _failed_checks(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for check in run.fidelity.failed:
            yield f"{run.name}: {check}."


def _unfinished(summary: Summary) -> Iterator[str]:
    for row in summary.table.to_dict("records"):
        if row["unfinished"]:
            named = {str(key): value for key, value in row.items()}
            yield (
                f"{_where(named)}, {row['scheduler']}: {row['unfinished']} coflows did not finish; the CCTs are those "
                "of the others."
            )


def _remedies(runs: Sequence[Run]) -> Iterator[str]:
    found: dict[str, int] = {}
    for run in runs:
        for check in run.fidelity.failed:
            found[check.words] = found.get(check.words, 0) + 1
    for text, count in found.items():
        yield f"{text[:1].upper()}{text[1:]}{'' if count == 1 else f' ({count} runs)'}."


def _more_repeats(runs: Sequence[Run], summary: Summary) -> Iterator[str]:
    least = int(summary.table["runs"].min())
    if least < FEW_REPEATS and any(run.source == "emulation" for run in runs):
        yield (
            f"Say repeats: {FEW_REPEATS} in the experiment to learn how much the figures change from run to run"
            + (
                ": with one run each, the intervals only say how much they hang on single coflows."
                if least == 1
                else "."
            )
        )
