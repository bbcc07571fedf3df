from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shells import ALL_IN_BASH, ALL_IN_ZSH, TAB, offered_by_fish, type_in_bash, type_in_zsh

from lesionctl.cli.completion.answer import answer
from lesionctl.cli.completion.scripts import Shell
from lesionctl.cli.completion.values import ENCODERS, PICTURES
from lesionctl.cli.documents.program import describe
from lesionctl.cli.main import app
from lesionctl.imaging.decode import IMAGE_SUFFIXES
from lesionctl.nets.timm_import import timm

ROOT = Path(__file__).parents[2]
PROGRAM = describe(app)
DIRECTORIES, ANY_FILES = "directories\t", "files\t"
MODELS = "files\tsafetensors,onnx,xml,pt2"

SPY = """
import json, sys
sys.argv = ["lesionctl", *json.loads(sys.argv[1])]
from lesionctl.cli.main import main
main()
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""

# What is typed, how it is completed, and the words of the line then.
WORDS = [
    ("lesionctl pred", "one", ["lesionctl", "predict"]),
    ("lesionctl fetch ham", "one", ["lesionctl", "fetch", "ham10000"]),
    ("lesionctl fetch isic2018:tr", "one", ["lesionctl", "fetch", "isic2018:train"]),
    ("lesionctl predict my", "one", ["lesionctl", "predict", "my scans/"]),
    (r"lesionctl predict my\ scans/", "all", ["lesionctl", "predict", "my scans/a b.JPG", "my scans/b.png"]),
    ('lesionctl predict "my scans/b', "one", ["lesionctl", "predict", "my scans/b.png"]),
    ("lesionctl predict notes.t", "one", ["lesionctl", "predict", "notes.txt"]),
    ("lesionctl train --device=cu", "one", ["lesionctl", "train", "--device=cuda"]),
    ("lesionctl predict x --csv=i", "one", ["lesionctl", "predict", "x", "--csv=isic.csv"]),
    ("lesionctl predict x --out n", "one", ["lesionctl", "predict", "x", "--out", "notes/"]),
    ("lesionctl export --to o", "all", ["lesionctl", "export", "--to", "onnx", "openvino"]),
    ("lesionctl help exi", "one", ["lesionctl", "help", "exit-codes"]),
    ("lesionctl predict ~/isic", "one", ["lesionctl", "predict", "~/isic.csv"]),
]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that knows the program, in a folder with some files and the scripts."""
    for name in ("my scans/a b.JPG", "my scans/b.png", "my scans/read.txt", "notes/x", "notes.txt", "isic.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copytree(ROOT / "completions", tmp_path / "completions")
    program = tmp_path / "bin" / "lesionctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lesionctl "$@"\n')
    program.chmod(0o755)
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def offered(*words: str) -> list[str]:
    """Words without their meanings, and lines about files as they are."""
    lines = (line.split("\t") for line in answer(PROGRAM, words))
    return [fields[1] if fields[0] == "word" else "\t".join(fields) for fields in lines]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pre"], ["prepare", "predict"]),
        (["--of"], ["--offline"]),
        (["-q", "--config", ""], [ANY_FILES]),
        (["no-such-command", ""], []),
        (["predict", "--mask"], ["--mask-format"]),
        (["predict", "--mask-format", ""], ["8-bit", "1-bit"]),
        (["predict", "--mask-format=1"], ["1-bit"]),
        (["predict", "a.jpg", "--model", "les"], ["lesion-s", MODELS]),
        (["predict", "--tta", ""], [f"files\t{','.join(PICTURES)}"]),
        (["predict", "--tta", "--tt"], []),
        (["predict", "--", "--tt"], [f"files\t{','.join(PICTURES)}"]),
        (["predict", "--batch-size", ""], []),
        (["train", "--device", ""], ["auto", "cpu", "cuda", "mps"]),
        (["train", "--encoder-weights", ""], [ANY_FILES, "hub", "none"]),
        (["train", ""], [DIRECTORIES]),
        (["train", "a.store", ""], []),
        (["eval", "run", ""], ["lesion-s", MODELS, DIRECTORIES]),
        (["eval", "--report", ""], ["files\thtml,md,pdf"]),
        (["fetch", "isic2017:t"], ["isic2017:train", "isic2017:test"]),
        (["fetch", "ph"], ["ph2"]),
        (["prepare", "dem"], ["demo", "files\tcsv"]),
        (["help", "e"], ["environment", "exit-codes", "eval", "export"]),
        (["help", "predict", ""], []),
        (["bench", "--what", "network", "--what", "p"], ["predict"]),
    ],
)
def test_words_are_followed_by(words, expected):
    assert offered(*words) == expected


def test_a_command_without_arguments_offers_its_options():
    assert {"--model", "--json", "--help"} <= set(offered("bench", ""))


def test_encoders_that_were_fetched_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path))
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "resnet26t.safetensors").touch()
    assert offered("train", "--encoder", "resnet")[:3] == ["resnet26t", "resnet18", "resnet34"]
    assert offered("fetch", "--encoder", "resnet3") == ["resnet34"]


def test_pictures_end_as_the_decoder_has_it():
    assert {f".{ending}" for ending in PICTURES} == IMAGE_SUFFIXES


def test_timm_knows_the_encoders():
    assert [name for name in ENCODERS if not timm.is_model(name)] == []


@pytest.mark.parametrize("words", [["predict", "--model", ""], ["train", "--encoder", ""], ["prepare", ""]])
def test_an_answer_imports_nothing_heavy(words):
    done = subprocess.run(
        [sys.executable, "-c", SPY, json.dumps(words)],
        env=os.environ | {"_LESIONCTL_COMPLETE": "1"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    heavy = {"torch", "timm", "albumentations", "cv2", "sklearn", "numpy", "PIL"}
    assert done.stdout
    assert not heavy & set(json.loads(done.stderr))


@needs("bash")
def test_bash_completes(tmp_path, variables):
    keys = [typed + {"one": TAB, "all": ALL_IN_BASH}[how] for typed, how, _ in WORDS]
    expected = [[word.replace("~", str(tmp_path)) for word in words] for _, _, words in WORDS]
    assert type_in_bash(keys, tmp_path, variables) == expected


@needs("zsh")
def test_zsh_completes_from_the_first_tab_on(tmp_path, variables):
    keys = [typed + {"one": TAB, "all": ALL_IN_ZSH}[how] for typed, how, _ in WORDS]
    # It takes the slash off a directory that nothing follows.
    expected = [[word.replace("~", str(tmp_path)).removesuffix("/") for word in words] for _, _, words in WORDS]
    assert type_in_zsh(keys, tmp_path, variables) == expected


@needs("fish")
def test_fish_completes(tmp_path, variables):
    expected = [words[-1:] if how == "one" else words[-2:] for _, how, words in WORDS]
    assert offered_by_fish([typed for typed, _, _ in WORDS], tmp_path, variables) == expected


@pytest.mark.parametrize(
    ("shell", "script", "start"),
    [
        ("bash", ".local/share/lesionctl/lesionctl.bash", ".bashrc"),
        ("zsh", ".local/share/lesionctl/_lesionctl", ".zshrc"),
        ("fish", ".config/fish/completions/lesionctl.fish", None),
    ],
)
def test_it_installs_its_completion_once_in_the_shell_in_use(shell, script, start, tmp_path, variables):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if start:
        (tmp_path / start).write_text("# no line ends this")
    for _ in range(2):  # the second time finds its line
        done = subprocess.run(
            [shell, "-c", "lesionctl --install-completion; true"],
            cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout == f"{tmp_path / script}\n", done.stderr
    assert (tmp_path / script).read_text() == Shell(shell).script
    if start:
        lines = (tmp_path / start).read_text().splitlines()
        assert len(lines) == 2
        assert str((tmp_path / script).parent) in lines[1]


@needs("bash")
def test_bash_completes_once_that_is_installed(tmp_path, variables):
    subprocess.run(["bash", "-c", "lesionctl --install-completion; true"], env=variables, timeout=60, check=True)
    done = subprocess.run(
        ["bash", "-ic", "complete -p lesionctl"], env=variables, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "complete -F _lesionctl lesionctl\n"


@pytest.mark.parametrize("shell", list(Shell))
def test_it_shows_a_shell_s_script(shell, lesionctl):
    done = lesionctl("--show-completion", shell)
    assert (done.returncode, done.stdout) == (0, shell.script)
