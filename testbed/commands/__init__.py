"""One module per command of the `testbed` program; heavy imports stay inside the functions."""
