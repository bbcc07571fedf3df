"""Measuring: how fast a model is on this machine, alone and from file to file."""
