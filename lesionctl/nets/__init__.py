"""The networks, how they are built from a spec, and the model file that carries one."""
