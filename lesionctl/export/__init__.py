"""Exporting: a model for other runtimes, and the gate that it must pass."""
