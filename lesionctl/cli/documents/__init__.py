"""What is written of the program from the program itself: man pages and completion scripts."""
