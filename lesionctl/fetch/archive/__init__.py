"""Archives: recognised by content, checked before anything is written, and unpacked to disk once."""
