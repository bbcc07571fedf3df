"""From the words typed so far to what could come next, in lines that the shells' scripts read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lesionctl.cli.completion.values import Files, Word, values_of
from lesionctl.cli.documents.program import Command, Parameter

ASKED_BY_A_SHELL = "_LESIONCTL_COMPLETE"
"""The variable that a shell's script sets to any value when it asks."""


def answer(program: Command, words: Sequence[str]) -> Iterator[str]:
    """What could stand in place of the last word.

    Args:
        program: What can be said at all.
        words: Those after the program's name, up to the cursor; the last one may be empty or begun. The value in
            `--option=value` is part of its word.

    Yields:
        Lines of fields with tabs between them: `word`, the word, what it means; or `files` or `directories`, which the
        shell completes itself, and endings with commas between them.
    """
    *typed, begun = words or [""]
    for candidate in _candidates(program, typed, begun):
        if isinstance(candidate, Files):
            yield "\t".join((candidate.kind, ",".join(candidate.endings)))
        else:
            yield "\t".join(("word", candidate.text, candidate.meaning))


def _candidates(program: Command, typed: Sequence[str], begun: str) -> Iterator[Word | Files]:
    command, options_end = program, False
    said: set[str] = set()
    arguments = 0
    waiting: Parameter | None = None
    for word in typed:
        if waiting is not None:
            waiting = None
        elif options_end or not word.startswith("-") or word == "-":
            found = next((one for one in command.commands if one.name == word), None)
            if command.commands and found is None:
                return
            command, arguments = (found, 0) if found else (command, arguments + 1)
        elif word == "--":
            options_end = True
        else:
            name, equals, _ = word.partition("=")
            option = command.option(name)
            said |= set(option.names) if option and not option.several else set()
            waiting = option if option and not option.is_flag and not equals else None

    name, equals, value = begun.partition("=")
    option = command.option(name) if equals else waiting
    if option is not None:
        yield from _beginning(value if equals else begun, values_of(option, program))
    elif begun.startswith("-") and not options_end:
        yield from _beginning(begun, _options(command, said))
    elif command.commands:
        yield from _beginning(begun, (Word(one.name, one.summary) for one in command.commands))
    elif command.arguments:
        last = command.arguments[-1]
        if arguments < len(command.arguments) or last.several:
            place = command.arguments[min(arguments, len(command.arguments) - 1)]
            yield from _beginning(begun, values_of(place, program))
    elif not begun:
        yield from _options(command, said)


def _beginning(begun: str, candidates: Iterator[Word | Files]) -> Iterator[Word | Files]:
    return (one for one in candidates if isinstance(one, Files) or one.text.startswith(begun))


def _options(command: Command, said: set[str]) -> Iterator[Word | Files]:
    """Options by their long names; the short ones are quicker typed than completed."""
    for option in command.options:
        if option.names[-1] not in said:
            yield Word(option.names[-1], option.help)
