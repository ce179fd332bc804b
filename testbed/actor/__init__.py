"""The program inside a container. Standard library only."""
