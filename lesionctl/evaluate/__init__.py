"""Evaluating: a model on a prepared set, or a folder of masks against another."""
