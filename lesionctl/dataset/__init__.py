"""Data for training and scoring: pairs of picture and mask, samples with a split, the prepared store."""
