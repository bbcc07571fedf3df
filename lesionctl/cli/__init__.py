"""The front door: one file per subcommand. Each parses, calls one function, and shows the result."""
