"""Topologies: nodes, links, addresses and paths."""
