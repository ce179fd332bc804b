"""Workloads: trace files, explicit coflows, synthetic mixes."""
