"""Transcripts are what a person types and sees: text files that are read, played with the real program, and compared.

A file tells of one subject. Its lines are

    # what a reader should know
    $ what is typed, in bash, in a scratch folder that the lines before have left something in
    [SIGTERM at: a line of stderr]      the program is sent that signal once it says so
    what stdout says
    ! what stderr says
    [exit code 3]                       where it is not 0

and `# Here already: demo, demo.store` names what of GIVEN lies in the folder from the start. What changes
from run to run and from machine to machine is replaced by the MARKS, and nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warm_program import WarmProgram

import lesionctl
from lesionctl.paths import BUNDLED_MODELS

HERE = Path(__file__).parent

# What some transcripts start from, each made with what stands before it.
GIVEN = {
    "demo": "lesionctl fetch demo --to demo --count 12",
    "demo.store": "lesionctl prepare demo --out demo.store --size 64 --split 60/15/25",
    "run": "lesionctl train demo.store --out run --arch classic --widths 8,16 --size 64 --batch-size 4"
    " --repeat 1 --epochs 2",
    "outlines": "python -c \"import pathlib; from PIL import Image, ImageFilter; pathlib.Path('outlines').mkdir();"
    " [Image.open(p).filter(ImageFilter.MaxFilter(25)).save(f'outlines/{p.name}')"
    " for p in pathlib.Path('demo/masks').iterdir()]\"",
}

# The number formats and backends that `auto` takes are the machine's; the rest of a clean account.
VARIABLES = {
    **{f"LESIONCTL_{command}_DEVICE": "cpu" for command in ("TRAIN", "EVAL", "PREDICT", "BENCH")},
    **{f"LESIONCTL_{command}_PRECISION": "fp32" for command in ("TRAIN", "EVAL", "PREDICT", "BENCH")},
    "COLUMNS": "100",
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "SLURM_CPUS_PER_TASK": "1",
}

# Strict: a figure that no mark names must not change.
MARKS = (
    (r"(?m)^\d\d:\d\d:\d\d .*\n", ""),  # told of what takes more than ten seconds
    (r"\b\d+(\.\d+)? s\b", "<seconds>"),
    (r"(?<=images_per_second )\d+(\.\d+)?", "<rate>"),
    (r"(?<=digest )[0-9a-f]{12}\b", "<digest>"),
)

# What a network says that is trained here differs between processors and versions of torch.
_OF_TRAINING = (
    (r"(?<=loss )[\d.]+|(?<=val_dice )[\d.]+|(?<=_jaccard )[\d.]+", "<figure>"),
    (r"(?<=epochs: )\d; threshold [\d.]+, .*?;", "<epoch>; threshold <figure>, <post-processing>;"),
    (r"Dice [\d.]+, Jaccard [\d.]+", "Dice <figure>, Jaccard <figure>"),
    (r"(?<= step )\d+", "<step>"),
    (r"(?<='resnet34', ).*(?=\?)", "<others>"),  # that timm has
)
_MEASURED = (
    "lesion_pixels lesion_percent left top right bottom centroid_x centroid_y diameter asymmetry border_irregularity"
)
MARKS_OF = {
    "train": _OF_TRAINING,
    "stopped_training": _OF_TRAINING,
    "predict": (
        (rf'("(?:{"|".join(_MEASURED.split())}|confidence|seconds)": )[\d.]+', r"\1<figure>"),
        (r'(?<="model_digest": ")[0-9a-f]{64}', "<digest>"),
    ),
    "export": ((r"(?<=probability )\S+, of 99.9 % of them \S+;", "<figure>, of 99.9 % of them <figure>;"),),
    "bench": (
        (r"(?s)\A(?!error).*?(?=network alone)", "<machine>\n"),
        (r"(?m)(?<=  )\d[\d.,]*(?=  | %|$)", "<figure>"),
        (r"─+", "─" * 60),
        (r"(?<=\S)  +", "   "),
        (r"(?m)^ {20,}", " " * 20),
    ),
}

_STEP = re.compile(r"^((?:# .*\n)*)\$ (.*)\n(?:\[(SIG\w+ at: .+)\]\n)?", re.MULTILINE)
_PLAIN = re.compile(r"(lesionctl [^|&;<>*$(){}~]+?)(?: > (\S+))?")


@dataclass
class Step:
    """One command and what came of it."""

    command: str
    prose: str = ""
    signal: str = ""
    outcome: str = ""

    def text(self) -> str:
        sent = f"[{self.signal}]\n" if self.signal else ""
        return f"{self.prose}$ {self.command}\n{sent}{self.outcome}"


@dataclass
class Transcript:
    """A file of steps."""

    name: str
    given: list[str]
    steps: list[Step]

    @classmethod
    def read(cls, path: Path) -> Transcript:
        text = path.read_text()
        listed = re.search(r"^# Here already: (.+)$", text, re.MULTILINE)
        before, *parts = _STEP.split(text)
        assert not before, f"{path.name} begins with what is no step"
        steps = [
            Step(command, prose, sent or "", _told(outcome))
            for prose, command, sent, outcome in zip(*(parts[place::4] for place in range(4)), strict=True)
        ]
        return cls(path.stem, listed[1].split(", ") if listed else [], steps)

    def text(self) -> str:
        return "\n".join(step.text() for step in self.steps)


class Stage:
    """A folder that transcripts are played in, one after the other, each from what it says is there."""

    def __init__(self, folder: Path, program: WarmProgram | None) -> None:
        self._program = program
        self._folder = folder / "work"
        self._kept = folder / "given"
        self._said = [folder / "stdout", folder / "stderr"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LESIONCTL_")}
        self._environment = inherited | VARIABLES | {
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home" / "cache"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            "CUDA_VISIBLE_DEVICES": "",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        places = ((self._folder, "<here>"), (folder / "home", "~"), (BUNDLED_MODELS, "<models>"))
        self._marks = [
            *((re.escape(str(place)), mark) for place, mark in places),
            (re.escape(lesionctl.__version__) + r"(?![\d.])", "<version>"),
            *MARKS,
        ]

    def play(self, transcript: Transcript) -> Iterator[Step]:
        """Each step with what comes of it here and now."""
        self._fill(transcript.given)
        for step in transcript.steps:
            code = self._run(step)
            stdout, stderr = (self._marked(path.read_text(), transcript.name) for path in self._said)
            outcome = _told(_lines(stdout, "") + _lines(stderr, "! ") + (f"[exit code {code}]\n" if code else ""))
            assert not _STEP.search(outcome), "a line of an output looks like a command"
            yield Step(step.command, step.prose, step.signal, outcome)

    def _fill(self, given: list[str]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        last = max((list(GIVEN).index(name) for name in given), default=-1)
        for name in list(GIVEN)[: last + 1]:
            if not (self._kept / name).exists():
                assert self._run(Step(GIVEN[name])) == 0, self._said[1].read_text()
                shutil.copytree(self._folder / name, self._kept / name)
            elif not (self._folder / name).exists():
                shutil.copytree(self._kept / name, self._folder / name)
        for name in set(GIVEN) - set(given):
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _run(self, step: Step) -> int:
        """Run a command in bash, or without the seconds of loading where it is a plain one; returns its exit code."""
        plain = _PLAIN.fullmatch(step.command)
        words = shlex.split(plain[1]) if plain else []
        if self._program and plain and not step.signal and not {"bench", "--offline"} & set(words):
            running = self._program.start(words[1:], self._environment, cwd=self._folder)
            stdout, stderr = running.communicate(300)
            if plain[2]:
                (self._folder / plain[2]).write_text(stdout)
            self._said[0].write_text("" if plain[2] else stdout)
            self._said[1].write_text(stderr)
            code = running.wait()
        else:
            code = self._run_cold(step)
        return code if code >= 0 else 128 - code  # as shells tell of a signal

    def _run_cold(self, step: Step) -> int:
        with self._said[0].open("w") as stdout, self._said[1].open("w") as stderr:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {step.command}" if step.signal else step.command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
            if step.signal:
                name, awaited = step.signal.split(" at: ")
                ends = time.monotonic() + 120
                while awaited not in self._said[1].read_text():
                    assert time.monotonic() < ends
                    assert process.poll() is None, self._said[1].read_text()
                    time.sleep(0.02)
                process.send_signal(signal.Signals[name])
            return process.wait(300)

    def _marked(self, text: str, name: str) -> str:
        for pattern, mark in (*self._marks, *MARKS_OF.get(name, ())):
            text = re.sub(pattern, mark, text)
        return text


def transcripts() -> list[Path]:
    """The files, by name."""
    return sorted(HERE.glob("*.txt"))


def _told(outcome: str) -> str:
    """Without the empty lines at its end, by which steps are parted here."""
    return f"{outcome.rstrip()}\n" if outcome.strip() else ""


def _lines(text: str, before: str) -> str:
    return "".join(f"{before}{line}".rstrip() + "\n" for line in text.splitlines())
