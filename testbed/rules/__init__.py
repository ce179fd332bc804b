"""Routes, classes and meters as pure data, made from a plan."""
