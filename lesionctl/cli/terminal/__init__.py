"""What the program says, and to which stream: nothing else in it prints."""

from lesionctl.cli.terminal.streams import Colour
from lesionctl.cli.terminal.terminal import Terminal

__all__ = ["Colour", "Terminal"]
