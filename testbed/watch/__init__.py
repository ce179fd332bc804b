"""The live view of a run: a page on this machine, served by a process of its own (docs/watch.md)."""
