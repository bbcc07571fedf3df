"""The self-configuring mode: a plan for a set and a device, each value with its reason."""
