"""Plots: one style, one module for each kind; SVG for pages, PNG for folders. Needs matplotlib (extra `plot`)."""
