"""What the program says is what the transcripts show; `python tests/transcripts/renew.py` writes them anew."""

from __future__ import annotations

import difflib
import html
import re

import pytest
from transcripts.picture import PICTURE, TYPED
from transcripts.playing import Stage, Transcript, transcripts

COMMANDS = ("fetch", "prepare", "train", "eval", "predict", "export", "bench", "help")


@pytest.fixture(scope="module")
def stage(warm_program, tmp_path_factory):
    return Stage(tmp_path_factory.mktemp("transcripts"), warm_program)


@pytest.mark.parametrize("path", transcripts(), ids=lambda path: path.stem)
def test_the_program_says_what_the_transcript_shows(stage, path):
    transcript = Transcript.read(path)
    text = path.read_text()
    assert transcript.text() == text, "renew.py would write it otherwise"
    played = Transcript(path.stem, transcript.given, list(stage.play(transcript))).text()
    changed = difflib.unified_diff(text.splitlines(), played.splitlines(), f"{path.name}", "now", lineterm="")
    assert played == text, "\n".join(changed)


def test_every_command_succeeds_and_fails_in_a_transcript():
    steps = [step for path in transcripts() for step in Transcript.read(path).steps]
    codes = {command: set() for command in COMMANDS}
    for step in steps:
        code = re.search(r"^\[exit code (\d+)\]$", step.outcome, re.MULTILINE)
        for command in COMMANDS:
            if re.search(rf"\blesionctl (-\S+ )*{command}\b", step.command):
                codes[command].add(int(code[1]) if code else 0)
    assert all(0 in found and len(found) > 1 for found in codes.values()), codes
    assert set().union(*codes.values()) >= {0, 1, 2, 3, 4, 75}


def test_no_path_of_a_machine_stands_in_a_transcript():
    for path in transcripts():
        assert not re.search(r"(?<![\w.>])/(tmp|home|root|work|usr|var|Users)\b", path.read_text()), path.name


def test_the_picture_of_the_readme_needs_no_network_and_names_no_machine():
    picture = PICTURE.read_text()
    assert len(picture) < 60_000
    assert re.findall(r"https?://[^\s\"<]+", picture) == ["http://www.w3.org/2000/svg", "https://www.textualize.io"]
    assert "@font-face" not in picture
    assert not re.search(r"/(tmp|home|root|work|usr|var|Users)\b", picture)
    shown = html.unescape(picture).replace("\xa0", " ")
    assert all(command.partition(" ")[2] in shown for command in TYPED)
