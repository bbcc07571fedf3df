"""Fetching: the sets of pictures that the program can put on disk."""
