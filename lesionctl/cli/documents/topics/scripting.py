"""Topic: the program in scripts."""

from __future__ import annotations

from collections.abc import Sequence

from lesionctl.cli.documents.blocks import Block, Example, Heading, Listing, Paragraph
from lesionctl.cli.documents.program import Command
from lesionctl.errors import ExitCode

SCRIPT = f"""\
lesionctl --quiet predict scans --recursive --out masks --csv masks.csv
case $? in
  {int(ExitCode.DONE)})  echo "all done" ;;
  {int(ExitCode.SOME_INPUTS_FAILED)})  echo "some pictures could not be used" ;;
  {int(ExitCode.INTERRUPTED)}) exec "$0" "$@" ;;  # go on
  *)  exit 1 ;;
esac
"""
"""A shell script that takes the exit codes apart."""


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    return [
        Paragraph(
            "Results go to standard output: paths, tables, JSON, one path or object on a line where there are many. "
            "All else goes to standard error: bars on a terminal, a line every some seconds elsewhere, warnings and "
            "errors. --quiet keeps warnings and errors alone, --log-file FILE keeps all in a file. Nothing ever asks a "
            "question. A reader that has seen enough, such as `head`, ends it quietly."
        ),
        Heading("JSON"),
        Paragraph(
            "fetch, prepare, train, eval, export and bench print their result with --json, predict a line for each "
            "picture with --jsonl, as soon as it is done."
        ),
        Example("lesionctl eval demo.store --json | jq '.evaluations[0].per_image.dice.mean'", "one figure"),
        Example(
            "lesionctl predict demo/images --out masks --jsonl | jq -r 'select(.flags != []) | .image'",
            "the pictures that a person should look at",
        ),
        Heading("Many files"),
        Paragraph(
            "A `-` among the inputs of predict reads a list of files from standard input, --files-from from a file; "
            "with -0 its names end with NUL, so that any name is safe. The same command again does what is missing."
        ),
        Example("find demo -name '*.jpg' -print0 | lesionctl predict - -0 --out masks", "all pictures below a folder"),
        Example("lesionctl predict demo/images --out masks --shard 2/8", "the second of eight shares, side by side"),
        Heading("Exit codes"),
        Listing(SCRIPT),
        Example(
            "lesionctl eval --pred masks --truth demo/masks --fail-under dice=0.8 > table.txt",
            f"in a pipeline that is to stop: exit code {int(ExitCode.GATE_FAILED)} where Dice is lower",
        ),
    ]
