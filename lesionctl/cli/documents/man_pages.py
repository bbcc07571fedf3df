"""The manual: a page for the program, one for each subcommand, and one for each topic."""

from __future__ import annotations

from lesionctl.cli.documents.blocks import Heading, Item, Paragraph
from lesionctl.cli.documents.command_blocks import arguments, description, examples, options, synopsis
from lesionctl.cli.documents.program import Command
from lesionctl.cli.documents.roff import Page
from lesionctl.cli.documents.topics import TOPICS, Topic
from lesionctl.cli.documents.topics.environment import FILES
from lesionctl.cli.documents.topics.exit_codes import exit_codes


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
    for topic in TOPICS.values():
        pages[f"{program.name}-{topic.name}", 7] = _topic(program, topic, source)
    return {f"man{section}/{name}.{section}": page.text() for (name, section), page in pages.items()}


def _program(program: Command, source: str) -> Page:
    page = _begin(program.name, 1, source, program.summary)
    page.add(Heading("Synopsis"), Paragraph(synopsis(program, program)))
    page.add(Heading("Description"), *description(program))
    page.add(Heading("Commands"))
    page.add(*(Item(f"`{program.name}-{command.name}`(1)", (command.summary,)) for command in program.commands))
    page.add(Heading("Topics"))
    page.add(*(Item(f"`{program.name}-{topic.name}`(7)", (topic.summary,)) for topic in TOPICS.values()))
    page.add(*options(program), *examples(program))
    page.add(Heading("Exit status"), *exit_codes())
    page.add(Heading("Files"), *(Item(f"*{file}*", (meaning,)) for file, meaning in FILES.items()))
    page.add(Heading("Environment"), Paragraph(f"Each option has a variable, see `{program.name}-environment`(7)."))
    _see_also(page, program, besides=program.name)
    return page


def _subcommand(program: Command, command: Command, source: str) -> Page:
    name = f"{program.name}-{command.name}"
    page = _begin(name, 1, source, command.summary)
    page.add(Heading("Synopsis"), Paragraph(synopsis(program, command)))
    page.add(Heading("Description"), *description(command))
    page.add(*arguments(command), *options(command), *examples(command))
    page.add(Heading("Exit status"), Paragraph(f"See `{program.name}-exit-codes`(7)."))
    _see_also(page, program, besides=name)
    return page


def _topic(program: Command, topic: Topic, source: str) -> Page:
    name = f"{program.name}-{topic.name}"
    page = _begin(name, 7, source, topic.summary)
    first, *others = topic.blocks(program)
    if not isinstance(first, Heading):
        page.add(Heading("Description"))
    page.add(first, *others)
    _see_also(page, program, besides=name)
    return page


def _begin(name: str, section: int, source: str, summary: str) -> Page:
    page = Page(name, section, source)
    page.name(name, summary)
    return page


def _see_also(page: Page, program: Command, *, besides: str) -> None:
    commands = [(f"{program.name}-{command.name}", 1) for command in program.commands]
    topics = [(f"{program.name}-{name}", 7) for name in TOPICS]
    others = [f"`{name}`({section})" for name, section in [(program.name, 1), *commands, *topics] if name != besides]
    page.add(Heading("See also"), Paragraph(", ".join(others)))
