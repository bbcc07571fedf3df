"""Predicting: from picture files to mask files."""
