"""What a run leaves for people: one object to talk to, a module for each file behind it."""
