"""The coordinator: replays a plan across actors and runs the scheduler."""
