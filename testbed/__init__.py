"""Coflow testbed: emulate, replay and simulate coflow workloads on one Linux machine."""

__version__ = "0.1.0"
