"""The emulated network: Mininet, Docker hosts, switches, shaping, services, clean-up."""
