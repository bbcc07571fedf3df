"""What the TAB key offers: a shell's script asks the program, the program answers in lines."""
