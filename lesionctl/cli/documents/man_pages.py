"""The manual: a page for the program, one for each subcommand, and two about what they share."""

from __future__ import annotations

from collections.abc import Iterable

from lesionctl.cli.documents.program import Command, Parameter
from lesionctl.cli.documents.roff import Page, bold, escape, italic, prose
from lesionctl.cli.documents.topics import EXIT_CODES, FILES, PRECEDENCE, VARIABLES


def write_pages(program: Command, version: str) -> dict[str, str]:
    """The pages by their paths in a folder of manuals, such as `man1/lesionctl.1`.

    Args:
        program: What it offers.
        version: Of the program.
    """
    source = f"{program.name} {version}"
    pages = {(program.name, 1): _program(program, source)}
    for command in program.commands:
        pages[f"{program.name}-{command.name}", 1] = _subcommand(program, command, source)
    pages[f"{program.name}-environment", 7] = _environment(program, source)
    pages[f"{program.name}-exit-codes", 7] = _exit_codes(program, source)
    return {f"man{section}/{name}.{section}": page.text() for (name, section), page in pages.items()}


def _program(program: Command, source: str) -> Page:
    page = Page(program.name, 1, source)
    _name(page, program.name, program.summary)
    page.section("synopsis")
    page.paragraph(f"{bold(program.name)} [{italic('OPTION')}]... {italic('COMMAND')} [{italic('ARGUMENT')}]...")
    _description(page, program)
    page.section("commands")
    for command in program.commands:
        page.item(f"{bold(f'{program.name}-{command.name}')}(1)", [prose(command.summary)])
    page.section("options")
    _options(page, program.options)
    _examples(page, program)
    page.section("exit status")
    for code, meaning in EXIT_CODES.items():
        page.item(bold(str(int(code))), [prose(meaning)])
    page.section("files")
    for file, meaning in FILES.items():
        page.item(italic(file), [prose(meaning)])
    page.section("environment")
    page.paragraph(f"Each option has a variable, see {bold(f'{program.name}-environment')}(7).")
    _see_also(page, program, besides=program.name)
    return page


def _subcommand(program: Command, command: Command, source: str) -> Page:
    page = Page(f"{program.name}-{command.name}", 1, source)
    _name(page, f"{program.name}-{command.name}", command.summary)
    page.section("synopsis")
    required = (option for option in command.options if option.required)
    words = [bold(program.name), bold(command.name), f"[{italic('OPTION')}]..."]
    words += [f"{bold(option.names[-1])} {_value(option)}" for option in required]
    page.paragraph(" ".join([*words, *map(_argument, command.arguments)]))
    _description(page, command)
    if command.arguments:
        page.section("arguments")
        for argument in command.arguments:
            page.item(_value(argument), _about(argument))
    page.section("options")
    _options(page, command.options)
    _examples(page, command)
    page.section("exit status")
    page.paragraph(f"See {bold(f'{program.name}-exit-codes')}(7).")
    _see_also(page, program, besides=f"{program.name}-{command.name}")
    return page


def _environment(program: Command, source: str) -> Page:
    page = Page(f"{program.name}-environment", 7, source)
    _name(page, f"{program.name}-environment", "The variables that it reads.")
    page.section("description")
    for paragraph in PRECEDENCE:
        page.paragraph(prose(paragraph))
    page.section("of all commands")
    for names, meaning in VARIABLES.items():
        page.item(", ".join(map(bold, names.split(", "))), [prose(meaning)])
    for command in (program, *program.commands):
        name = program.name if command is program else f"{program.name} {command.name}"
        page.section(f"of {name}")
        for option in command.options:
            if option.variable:
                page.item(bold(option.variable), [f"{_term(option, short=False)}: {prose(option.help)}"])
    _see_also(page, program, besides=f"{program.name}-environment")
    return page


def _exit_codes(program: Command, source: str) -> Page:
    page = Page(f"{program.name}-exit-codes", 7, source)
    _name(page, f"{program.name}-exit-codes", "What it leaves to the shell.")
    page.section("description")
    for code, meaning in EXIT_CODES.items():
        page.item(bold(str(int(code))), [prose(meaning)])
    _see_also(page, program, besides=f"{program.name}-exit-codes")
    return page


def _name(page: Page, name: str, summary: str) -> None:
    page.section("name")
    page.paragraph(f"{escape(name)} \\- {prose(summary[0].lower() + summary[1:].rstrip('.'))}")


def _description(page: Page, command: Command) -> None:
    page.section("description")
    for paragraph in command.paragraphs:
        page.paragraph(prose(paragraph))


def _options(page: Page, options: Iterable[Parameter]) -> None:
    panels: dict[str, list[Parameter]] = {"": []}
    for option in options:
        panels.setdefault(option.panel, []).append(option)
    for panel, members in panels.items():
        if panel:
            page.subsection(panel)
        for option in members:
            page.item(_term(option), _about(option))


def _examples(page: Page, command: Command) -> None:
    if command.examples:
        page.section("examples")
    for example in command.examples:
        page.example(example)


def _term(option: Parameter, *, short: bool = True) -> str:
    names = ", ".join(map(bold, option.names if short else option.names[-1:]))
    return names if option.is_flag else f"{names} {_value(option)}"


def _value(parameter: Parameter) -> str:
    """The metavar: its capitals stand for something, all else is typed as it is."""
    parts = parameter.metavar.split("|")
    return "|".join(bold(part) if part == part.lower() else italic(part) for part in parts)


def _argument(argument: Parameter) -> str:
    shown = _value(argument)
    if argument.several and "..." not in argument.metavar:
        shown += "..."
    return shown if argument.required or "[" in argument.metavar[:1] else f"[{shown}]"


def _about(parameter: Parameter) -> list[str]:
    """The help, and what else there is to know, as the help on the terminal has it in brackets."""
    notes = []
    if parameter.required and parameter.names:
        notes.append("Required.")
    if parameter.several and parameter.names:
        notes.append("It can be repeated.")
    if parameter.lowest is not None and parameter.highest is not None:
        notes.append(f"From {parameter.lowest:g} to {parameter.highest:g}.")
    elif parameter.lowest is not None:
        notes.append(f"At least {parameter.lowest:g}.")
    if parameter.default:
        notes.append(f"Default: {parameter.default}.")
    return [prose(parameter.help), *([prose(" ".join(notes))] if notes else [])]


def _see_also(page: Page, program: Command, *, besides: str) -> None:
    page.section("see also")
    commands = [(f"{program.name}-{command.name}", 1) for command in program.commands]
    all_pages = [(program.name, 1), *commands, (f"{program.name}-environment", 7), (f"{program.name}-exit-codes", 7)]
    page.paragraph(", ".join(f"{bold(name)}({section})" for name, section in all_pages if name != besides))
