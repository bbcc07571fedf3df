"""Training: from a store to a model file."""
