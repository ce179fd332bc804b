"""YAML specs: read, check, and turn into a plan."""
