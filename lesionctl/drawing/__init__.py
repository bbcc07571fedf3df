"""Dermoscopy-like pictures with exact masks, drawn from a seed: the demo set, and pictures to measure with."""
