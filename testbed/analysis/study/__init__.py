"""The study of incompletely labelled coflows: reads the sweeps of a study's folder, writes its one report.

prediction.py    the law, and a fluid calculation of one sender, apart from the simulator
behind.py        parts a to c: small coflows behind a wrongly labelled one, measured, simulated and predicted
behind_words.py  what these say, in sentences made of their figures
shares.py        part d: a whole workload of which a share of the flows has no label
share_words.py   what it says
starts.py        part e: planned against actual starts of all emulated flows
charts.py        the figures, as Vega-Lite for the page
figures.py       the same, drawn for PNG and PDF
sections.py      a part: sentences, tables, figures
report.py        all parts into one folder
page.py          the HTML page
"""
