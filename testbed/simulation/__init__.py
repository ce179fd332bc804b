"""The flow-level simulator: the same plan and schedulers on a fluid network."""
