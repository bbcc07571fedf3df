"""How large a batch may be: what a step needs, and what there is."""
