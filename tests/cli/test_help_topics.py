from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lesionctl.cli.command_line import build_tree
from lesionctl.cli.completion.values import PICTURES
from lesionctl.cli.documents.blocks import Block, Example, Heading, Item, Listing, Paragraph, break_command
from lesionctl.cli.documents.on_terminal import set_for_terminal
from lesionctl.cli.documents.program import describe
from lesionctl.cli.documents.topics import TOPICS
from lesionctl.cli.documents.topics.attributes import attributes_of
from lesionctl.cli.documents.topics.datasets import MASK_ENDINGS
from lesionctl.cli.documents.topics.environment import CONFIGURATION, VARIABLES
from lesionctl.cli.documents.topics.exit_codes import EXIT_CODES
from lesionctl.cli.documents.topics.formats import RUN, STORE
from lesionctl.cli.documents.topics.slurm import SCRIPTS, TITLES
from lesionctl.cli.main import app
from lesionctl.cli.terminal import Terminal
from lesionctl.dataset.pairs import mask_id
from lesionctl.errors import ExitCode
from lesionctl.fetch.catalog import load_catalog
from lesionctl.imaging.decode import IMAGE_SUFFIXES
from lesionctl.nets.model_file import read_model_spec
from lesionctl.predict.records import COLUMNS
from lesionctl.runtime.load import bundled_models, find_model

PROGRAM = describe(app)
COMMANDS = [command.name for command in PROGRAM.commands]
EXAMPLES = [example.command for command in (PROGRAM, *PROGRAM.commands) for example in command.examples]
EXAMPLES += [
    block.command for topic in TOPICS.values() for block in topic.blocks(PROGRAM) if isinstance(block, Example)
]
ESCAPE = re.compile(r"\033\[\d+m")

SPY = """
import json, sys
sys.argv = ["lesionctl", "help", *sys.argv[1:]]
from lesionctl.cli.main import main
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def text_of(topic: str, width: int = 80, *, styled: bool = False) -> str:
    return set_for_terminal(TOPICS[topic].blocks(PROGRAM), width, styled=styled)


def words_of(topic: str) -> str:
    return " ".join(text_of(topic, 100).split())


def test_without_a_word_it_lists_topics_and_commands(lesionctl):
    done = lesionctl("help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {name} " in done.stdout for name in [*TOPICS, *COMMANDS])


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_shown_on_stdout(topic, lesionctl):
    done = lesionctl("help", topic)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"lesionctl {topic}\n{TOPICS[topic].summary}\n\n")
    assert done.stdout.endswith(text_of(topic, 100) + "\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_is_what_its_own_option_shows(command, lesionctl):
    done, asked = lesionctl("help", command), lesionctl(command, "--help")
    assert done.returncode == asked.returncode == 0
    assert done.stdout == asked.stdout
    assert done.stdout.startswith(f"Usage: lesionctl {command} [OPTION]...")


def test_a_misspelt_topic_gets_a_suggestion(lesionctl):
    done = lesionctl("help", "enviroment")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'environment'?" in done.stderr


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_imports_no_torch(topic):
    done = subprocess.run(
        [sys.executable, "-c", SPY, topic], capture_output=True, text=True, timeout=60, check=True, env=os.environ
    )
    assert not {"torch", "timm", "albumentations", "sklearn", "scipy"} & set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("width", [40, 100, 200])
@pytest.mark.parametrize("topic", TOPICS)
def test_lines_are_no_longer_than_the_terminal_is_wide(topic, width):
    files = {line for block in TOPICS[topic].blocks(PROGRAM) if isinstance(block, Listing) for line in lines_of(block)}
    for line in text_of(topic, width).splitlines():
        is_one_word = len(line.removesuffix(" \\").split()) <= 2  # an option and its value stay together
        assert line in files or is_one_word or len(line) <= min(width, 100), line


def lines_of(block: Listing) -> list[str]:
    return block.text.splitlines()


def test_bold_letters_take_no_room():
    assert ESCAPE.sub("", text_of("formats", 60, styled=True)) == text_of("formats", 60)
    assert "\033[1mWhat predict writes\033[0m\n" in text_of("formats", styled=True)


def test_blocks_are_set_one_below_the_other():
    blocks: list[Block] = [
        Heading("Draw"),
        Paragraph("Draw --red `things`."),
        Heading("Options"),
        Item("`-r`, `--red`", ("Red lines.", "Default: none.")),
        Item("`--very-long-option` *DIRECTORY*", ("Where.",)),
        Example("thing draw --side 3 'a b' | less", "three sides"),
    ]
    assert set_for_terminal(blocks, 72, styled=False) == (
        "Draw\nDraw --red things.\n\nOptions\n"
        "  -r, --red  Red lines. Default: none.\n"
        "  --very-long-option DIRECTORY\n"
        "             Where.\n\n"
        "  # three sides\n  thing draw --side 3 'a b' | less"
    )
    assert set_for_terminal(blocks[5:], 24, styled=False) == (
        "  # three sides\n  thing draw --side 3 \\\n      'a b' | less"
    )


def test_there_are_no_escape_sequences_where_nobody_wants_them(lesionctl):
    assert "\033" not in lesionctl("help", "models").stdout
    assert "\033[1m" in lesionctl("--color", "always", "help", "models").stdout
    assert "\033[1m" in lesionctl("--color", "always", "predict", "--help").stdout


def test_a_command_is_broken_where_a_shell_goes_on():
    command = "find x -name '* a' | lesionctl predict - -0 --out a-folder"
    assert break_command(command, 34) == [
        "find x -name '* a' | lesionctl \\",
        "    predict - -0 --out a-folder",
    ]
    assert break_command(command, 60) == [command]
    for example in EXAMPLES:
        lines = break_command(example, 30)
        assert all(line.endswith(" \\") for line in lines[:-1])
        assert shlex.split(" ".join(line.removesuffix("\\") for line in lines)) == shlex.split(example)


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_makes_sense_to_the_program(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("settings.toml").write_text(CONFIGURATION)
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word in {"|", ">"}:
            parts.append([])
        else:
            parts[-1].append(word)
    if parts[0][0] == "sbatch":
        assert (SCRIPTS / parts[0][1]).is_file()
        return
    ours = [words[1:] for words in parts if words[:1] == ["lesionctl"]]
    assert ours
    tree = build_tree(app)
    for words in ours:
        with tree.make_context("lesionctl", list(words), obj=Terminal()) as context:
            place = next(place for place, word in enumerate(words) if word in tree.commands)
            tree.commands[words[place]].make_context(words[place], words[place + 1 :], parent=context).close()


def test_every_command_has_examples_and_a_summary_of_one_line():
    for command in (PROGRAM, *PROGRAM.commands):
        assert 2 <= len(command.examples) <= 4, command.name
        assert all(0 < len(example.purpose) < 70 for example in command.examples), command.name
        assert len(command.summary) <= 69, command.name  # beside the longest name, in 80 columns


def test_every_option_says_something():
    for command in (PROGRAM, *PROGRAM.commands):
        for option in (*command.options, *command.arguments):
            assert option.help.endswith("."), option
            assert option.metavar not in {"INTEGER", "FLOAT"} or option.default or option.lowest is None, option


def test_every_exit_code_is_told():
    assert list(EXIT_CODES) == list(ExitCode)
    assert all(meaning.replace("`", "") in words_of("exit-codes") for meaning in EXIT_CODES.values())


def test_every_variable_is_told():
    text = text_of("environment")
    options = [option.variable for command in (PROGRAM, *PROGRAM.commands) for option in command.options]
    assert all(f"  {name}" in text for name in [*filter(None, options), *VARIABLES])


def test_the_configuration_that_is_shown_is_understood(lesionctl, tmp_path):
    (tmp_path / "settings.toml").write_text(CONFIGURATION)
    done = lesionctl("--config", "settings.toml", "help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line in text_of("environment") for line in CONFIGURATION.splitlines())


def test_pictures_and_the_names_of_masks_are_those_that_are_read():
    assert {f".{ending}" for ending in PICTURES} == IMAGE_SUFFIXES
    assert ", ".join(PICTURES) in words_of("formats")
    for ending in MASK_ENDINGS:
        assert mask_id(Path(f"X{ending}.png")) == "X"
        assert f"X{ending}.png" in words_of("datasets")


def test_every_job_script_is_shown_as_it_is():
    assert {f"{name}.sbatch" for name in TITLES} == {file.name for file in SCRIPTS.iterdir()}
    assert all((SCRIPTS / f"{name}.sbatch").read_text() in text_of("slurm", 40) + "\n" for name in TITLES)


def test_sets_are_those_of_the_catalog():
    for entry in load_catalog().values():
        assert f"\n  {entry.name} " in text_of("datasets")
        assert f"Licence: {entry.licence}" in words_of("datasets")
        assert all(f"{part} {count}" in words_of("datasets") for part, count in entry.splits.items() if part != "all")


def test_models_are_told_as_their_files_have_it():
    for name in bundled_models():
        spec = read_model_spec(find_model(name))
        assert f"\n  {name} " in text_of("models", 100)
        for fact in (spec.licence, spec.training_data, f"{spec.size} × {spec.size}", f"threshold {spec.threshold:g}"):
            assert fact in words_of("models")


def test_files_and_columns_are_those_that_are_written(lesionctl, tmp_path):
    text = words_of("formats")
    assert lesionctl("fetch", "demo", "--to", "demo", "--count", "12").returncode == 0
    assert lesionctl("prepare", "demo", "--out", "store", "--size", "64", "--html").returncode == 0
    told = {name for names in STORE for name in names.split(", ")}
    assert told == {file.name for file in (tmp_path / "store").iterdir()}
    for table in ("samples.csv", "audit.csv", "fingerprint.csv"):
        assert all(re.search(rf"\b{column}\b", text) for column in columns_of(tmp_path / "store" / table))

    network = ["--arch", "classic", "--widths", "4,8", "--size", "32", "--device", "cpu", "--tensorboard"]
    done = lesionctl("train", "store", "--out", "run", *network, "--epochs", "2", "--overlays", "1")
    assert done.returncode == 0, done.stderr
    told = {name.rstrip("/") for names in RUN for name in names.split(", ")}
    written = {file.name for file in (tmp_path / "run").iterdir()}
    assert {name for name in written if not name.startswith(".")} <= told
    assert told - written <= {"plan.toml", "state.previous.pt", "curves.png"}

    assert lesionctl("eval", "run", "store", "--csv", "scores.csv", "--resamples", "0").returncode == 0
    known = [column for column in columns_of(tmp_path / "scores.csv") if " " not in column]  # but what is known of it
    assert all(re.search(rf"\b{column}\b", text) for column in known)
    assert all(re.search(rf"\b{column}\b", text) for column in COLUMNS)


def columns_of(table: Path) -> list[str]:
    with table.open(newline="") as file:
        return next(csv.reader(file))


def test_attributes_are_told_by_their_docstring():
    @dataclass
    class Described:
        """A thing.

        Attributes:
            side: In pixels: None where
                nobody knows.
            red: Whether.
        """

        side: int | None
        red: bool

    @dataclass
    class Silent:
        """A thing."""

        side: int

    assert attributes_of(Described, none="empty") == {"side": "In pixels: empty where nobody knows.", "red": "Whether."}
    with pytest.raises(KeyError):
        attributes_of(Silent, none="")
