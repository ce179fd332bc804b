"""Many runs of one experiment that varies fields: every combination, repeat, scheduler and back end.

points.py     experiment -> the runs of its sweep, each with its key
key.py        what makes two runs the same run
estimate.py   how long the runs that are left will take
progress.py   which runs are done and which failed, while the sweep goes
parallel.py   simulations over processes and machines, by Dask
document.py   what sweep.json says
execution.py  all runs that are left, each recorded before the next is looked at
study.py      the sweeps of a folder together

The folder of a sweep is described in records/sweep_folder.py, its table and plots are made in analysis/.
"""
