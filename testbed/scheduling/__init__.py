"""Coflow schedulers and the rate computations they share."""
