"""The OpenFlow application: a thin shim that turns the pure rules of `testbed.rules` into OpenFlow messages."""
