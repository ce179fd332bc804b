"""What this machine carries, as measured and stored, and what that says of a plan."""
