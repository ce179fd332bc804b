"""The run directory and its schema: `create` one, `write_outcome` into it, `read_run` it back."""
