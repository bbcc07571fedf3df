"""What a step is made of: loss, rate, optimiser, running mean, and the watch over it."""
