"""The section of part d."""

from __future__ import annotations

from testbed.analysis.study.charts import against_share
from testbed.analysis.study.figures import draw_against_share
from testbed.analysis.study.sections import Drawing, Section, Words, sheet
from testbed.analysis.study.share_words import share_words
from testbed.analysis.study.shares import Shares

_TITLE = "A whole workload"
_ABOUT = (
    "A share of all flows, chosen at random, carries no label; with a larger share, those without one at a smaller "
    "share have none either. Each figure is over that of the same coflows with every label there."
)
_CAPTION = (
    "Solid: all coflows; dashed: those of which every flow has its label. Intervals (95 %) over repeats, or over "
    "coflows where there is one repeat."
)
_NOTE = "With a larger share fewer and narrower coflows keep every label, so compare the ratios, not the means."
_STATISTICS = (("times", "mean CCT"), ("p95_times", "95th percentile of CCT"))
_COLUMNS = [
    ("", "point", ""),
    ("scheduler", "scheduler", ""),
    ("source", "source", ""),
    ("share", "share", ".2g"),
    ("of", "set", ""),
    ("runs", "runs", "d"),
    ("coflows", "coflows", "d"),
    ("mean s", "mean_s", ".3f"),
    ("p95 s", "p95_s", ".3f"),
    ("mean / with labels", "times", ".3f"),
    ("low", "low", ".3f"),
    ("high", "high", ".3f"),
    ("p95 / with labels", "p95_times", ".3f"),
]


def shares_section(name: str, workload: str, data: Shares) -> Section:
    """Its sentences, figures and tables. `workload`: in words."""
    about = f"Workload: {workload}. {_ABOUT}"
    if not len(data.coflows):
        return Section(name, _TITLE, about, Words(missing=("Every finished run is invalid.",)))
    panels = [
        (f"{title}{', ' if point else ''}{point}", against_share(part, value, f"{title} / with every label"))
        for value, title in _STATISTICS
        for point, part in data.summary.groupby("point", sort=False)
    ]
    return Section(
        name=name,
        title=_TITLE,
        about=about,
        words=share_words(data),
        drawings=(Drawing(f"{name}-shares", _CAPTION, tuple(panels), draw_against_share(data.summary)),),
        sheets=(sheet(f"{name}-table", "CCT by share", _COLUMNS, data.summary, _NOTE),),
        frames={name: data.summary},
    )
