"""Scoring: pure functions from masks to counts to figures, and one accumulator."""
