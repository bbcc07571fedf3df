"""Topic: the exit codes."""

from __future__ import annotations

from collections.abc import Sequence

from lesionctl.cli.documents.blocks import Block, Heading, Item, Paragraph
from lesionctl.cli.documents.program import Command
from lesionctl.errors import ExitCode

EXIT_CODES = {
    ExitCode.DONE: "Done.",
    ExitCode.FAILED: "Failed: the message says why, and a hint what to do.",
    ExitCode.USAGE: "The command makes no sense as typed; nothing was done.",
    ExitCode.SOME_INPUTS_FAILED: "Some inputs failed and are named, the rest are done.",
    ExitCode.GATE_FAILED: "A gate failed: an exported model differs from its original, splits overlap, test pictures "
    "were seen in training, or a figure is below --fail-under.",
    ExitCode.INTERRUPTED: "Interrupted with the state saved: the same command goes on.",
    ExitCode.SIGINT: "Ended by Ctrl-C where there is no state to save.",
    ExitCode.SIGPIPE: "Ended because nobody reads the results any more, as `head` does when it has seen enough.",
    ExitCode.SIGTERM: "Ended by SIGTERM where there is no state to save.",
}


def exit_codes() -> list[Item]:
    """What each means."""
    return [Item(f"`{int(code)}`", (meaning,)) for code, meaning in EXIT_CODES.items()]


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    return [
        *exit_codes(),
        Heading("Signals"),
        Paragraph(
            "`SIGTERM`, `SIGINT` (Ctrl-C) and, in train, `SIGUSR1` save the state and end with "
            f"{int(ExitCode.INTERRUPTED)}. A process that a signal ends at once, such as `SIGKILL`, or `SIGTERM` where "
            "there is no state, leaves 128 and the signal's number to the shell; what was saved before it is kept, and "
            "files are whole or not there."
        ),
        Heading("Torchrun"),
        Paragraph(
            "torchrun takes any code but 0 for a crash, ends the other processes, and ends with 1 itself. Under it, "
            "predict names pictures that cannot be used by a warning and ends with 0; the code of an interrupted "
            "training is not to be seen."
        ),
    ]
