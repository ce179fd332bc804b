"""Reads run directories, and nothing else; makes metrics, comparisons, tables and plots.

coflows.py      runs -> one table of coflows; pairs of the same coflow under two schedulers
bins.py         short or long, narrow or wide
metrics.py      CCT, slowdown and factors of a set of coflows
bootstrap.py    confidence intervals
compare.py      the comparison table, per bin
figure_data.py  what each figure shows, as plain arrays
plot_*.py       how it is drawn
study/          the report of a study of incompletely labelled coflows
report.py       verdict, summary and plots of a set of runs
"""
