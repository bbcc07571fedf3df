"""Which stream says what, how much of it, and what happens where a stream is closed, full, or read no further."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

PROGRAM = f'"{sys.executable}" -m lesionctl'
LINE = re.compile(r"(\S+) (DEBUG|INFO|WARNING|ERROR) +\S+:\d+ (.*)")


@pytest.fixture
def shell(environment, tmp_path):
    """A function: what a command line of bash leaves with and says."""

    def run(line):
        return subprocess.run(
            ["bash", "-c", line.replace("lesionctl", PROGRAM)],
            capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120, check=False,
        )  # fmt: skip

    return run


def logged(path):
    """Levels and messages of a log file, each line of which has its time."""
    found = [LINE.fullmatch(line) for line in path.read_text().splitlines()]
    assert all(found)
    assert all(datetime.fromisoformat(match[1]).tzinfo for match in found)
    return [(match[2], match[3]) for match in found]


MAKES_NOISE = """
import os
from lesionctl.cli.terminal import Terminal
with Terminal(), open("mask", "wb") as file:
    os.write(1, b"noise")
    os.write(2, b"noise")
    file.write(b"mask")
"""


def test_what_is_closed_is_done_without(shell, tmp_path):
    done = shell("lesionctl fetch demo --to d --count 2 >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(list((tmp_path / "d" / "masks").iterdir())) == 2


@pytest.mark.parametrize(
    ("line", "code"), [("fetch --list >&-", 0), ("--version >&-", 0), ("fetch dmeo 2>&-", 2), ("--help 2>&-", 0)]
)
def test_a_closed_stream_is_no_failure(shell, line, code):
    done = shell(f"lesionctl {line}")
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    assert (done.stdout == "") == (line != "--help 2>&-")


def test_a_mask_is_not_written_to_by_who_writes_to_a_closed_stream(tmp_path):
    (tmp_path / "run.py").write_text(MAKES_NOISE)
    subprocess.run(f"'{sys.executable}' run.py >&- 2>&- <&-", shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "mask").read_bytes() == b"mask"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")  # noqa: PTH110
@pytest.mark.parametrize(
    "words", ["fetch --list", "fetch --list --json", "--help", "--version", "fetch demo --to d --count 2"]
)
def test_a_full_disk_is_one_error(shell, words):
    done = shell(f"lesionctl {words} > /dev/full")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert errors == ["error: results cannot be written to standard output (No space left on device)"]
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")  # noqa: PTH110
def test_messages_that_cannot_be_written_do_not_stop_the_work(shell, tmp_path):
    done = shell("lesionctl fetch demo --to d --count 2 2> /dev/full")
    assert done.returncode == 0
    assert done.stdout == f"{tmp_path / 'd'}\n" or done.stdout == "d\n"


def test_head_ends_it_quietly(shell):
    done = shell("lesionctl fetch --list --json | head -1; exit ${PIPESTATUS[1]}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")
    done = shell("(sleep 3; lesionctl fetch --list --json; echo $? > code) | true; wait")
    assert done.stderr == ""


def test_nothing_is_asked_for_where_nobody_can_answer(environment, tmp_path):
    """With nobody at stdin, each command comes to an end by itself."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "other.txt").write_text("in the way")
    for words in (["fetch", "demo", "--to", "d"], ["predict", "-", "--out", "m"], ["prepare", "d", "--out", "d"], []):
        command = f"{PROGRAM} {' '.join(words)} <&-"
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (1, 2) if words else done.returncode in (0, 2)
        assert "?" not in done.stderr.replace("did you mean", "")


def test_colour_is_as_was_said(shell):
    assert "\x1b[" not in shell("lesionctl fetch --list").stdout
    assert "\x1b[1m" in shell("lesionctl --color always fetch --list").stdout
    assert "\x1b[1m" in shell("LESIONCTL_COLOR=always lesionctl fetch --list").stdout
    assert "\x1b[" not in shell("LESIONCTL_COLOR=always lesionctl --color never fetch --list").stdout
    assert "\x1b[" not in shell("NO_COLOR=1 FORCE_COLOR=1 lesionctl fetch --list").stdout
    assert "\x1b[1;31merror:\x1b[0m" in shell("FORCE_COLOR=1 lesionctl fetch dmeo").stderr
    assert shell("lesionctl --color sometimes fetch --list").returncode == 2


def test_quiet_and_verbose_exclude_each_other(lesionctl):
    done = lesionctl("-q", "-v", "fetch", "--list")
    assert done.returncode == 2
    assert done.stderr == "error: --quiet and --verbose exclude each other\n"


def test_a_prediction_says_what_it_chose_where_that_is_asked_for(lesionctl, demo, model_file):
    words = ["predict", demo / "images", "--model", model_file, "--device", "cpu"]
    plain, verbose = lesionctl(*words, "--out", "a"), lesionctl("-v", *words, "--out", "b", "--precision", "fp32")
    assert plain.stdout.replace("a/", "b/") == verbose.stdout
    said = verbose.stderr.splitlines()
    assert said[0] == f"model: {model_file}"
    assert said[1].startswith("loading the model: ")
    assert re.match(
        r"tiny \(SHA-256 \w{12}\) runs on torch fp32 cpu: input 64 px, 8 pictures at once, threshold", said[2]
    )
    assert said[3].startswith("12 pictures, ")
    assert any(line.startswith("segmenting: 12/12 in ") for line in said)
    assert said[-1].startswith("exit code 0 after ")
    assert set(plain.stderr.splitlines()) < set(said)


def test_other_commands_say_what_they_chose_too(lesionctl, demo, store_path, model_file):
    said = lesionctl("-v", "prepare", demo, "--out", "s", "--size", 32).stderr
    assert "12 pairs in demo, read by threads: 1\n" in said
    assert "preparing: 12/12 in " in said

    said = lesionctl("-v", "eval", model_file, store_path, "--resamples", 0, "--precision", "fp32").stderr
    assert f"{model_file} runs on torch fp32 cpu\n" in said
    assert "test split: 3 pictures, scored by threads: 1\n" in said
    assert "scoring: 3/3 in " in said

    said = lesionctl(
        "-v", "train", store_path, "--out", "r", "--init", model_file, "--size", 64, "--epochs", 1, "--repeat", 1
    ).stderr
    assert "trains on cpu in " in said
    assert "7 pictures to learn from, 2 to validate on; " in said
    assert "epoch 1 of 1: " in said

    said = lesionctl("-v", "export", model_file, "--to", "torch", "--out", "x.pt2").stderr
    assert "tiny (SHA-256 " in said
    assert "converting: " in said
    assert "is compared with torch fp32 cpu on 8 pictures" in said

    said = lesionctl("-v", "fetch", "demo", "--to", "d", "--count", 2).stderr
    assert "drawing: 2/2 in " in said


WARNS = """
import logging, warnings
from lesionctl.cli.terminal import Terminal
terminal = Terminal()
terminal.verbose = {verbose}
terminal.hear_libraries()
warnings.warn("it will change", FutureWarning)
logging.getLogger("some.library").warning("it is %s", "slow")
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_what_libraries_warn_of_is_a_detail(verbose):
    done = subprocess.run(
        [sys.executable, "-c", WARNS.format(verbose=verbose)], capture_output=True, text=True, check=True
    )
    said = ["<string>:7: FutureWarning: it will change", "some.library: it is slow"]
    assert done.stderr.splitlines() == (said if verbose else ["it is slow"])


def test_a_log_file_hears_all_even_where_the_terminal_is_to_be_quiet(lesionctl, demo, model_file, tmp_path):
    words = [
        "predict",
        demo / "images",
        "--model",
        model_file,
        "--out",
        "a b",
        "--device",
        "cpu",
        "--precision",
        "fp32",
    ]
    done = lesionctl("-q", "--log-file", "run.log", *words)
    assert done.returncode == 0
    assert done.stderr == ""
    log = logged(tmp_path / "run.log")
    typed = f"lesionctl -q --log-file run.log predict {demo / 'images'} --model {model_file} --out 'a b' "
    assert log[0] == ("INFO", f"{typed}--device cpu --precision fp32")
    assert re.match(r"lesionctl \d\S+, Python 3", log[1][1])
    assert ("DEBUG", f"model: {model_file}") in log
    assert any(level == "DEBUG" and said.startswith("segmenting: 12/12") for level, said in log)
    assert log[-1][0] == "INFO"
    assert re.match(r"exit code 0 after \d", log[-1][1])
    assert "\x1b" not in (tmp_path / "run.log").read_text()


def test_a_log_file_ends_with_the_exit_code_and_is_appended_to(lesionctl, tmp_path):
    lesionctl("--log-file", "run.log", "--color", "always", "predict", "nowhere.jpg", "--out", "m")
    lesionctl("predict", "nowhere.jpg", "--out", "m", LESIONCTL_LOG_FILE="run.log")
    log = logged(tmp_path / "run.log")
    assert ("ERROR", "there is no file or folder 'nowhere.jpg'") in log
    codes = [(level, said.split(" after ")[0]) for level, said in log if said.startswith("exit code")]
    assert codes == [("ERROR", "exit code 2")] * 2 or codes == [("ERROR", "exit code 1")] * 2
    assert log[-1][1].startswith("exit code")


def test_a_log_file_that_cannot_be_opened_is_refused(lesionctl):
    done = lesionctl("--log-file", "no/such/folder/run.log", "fetch", "--list")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: --log-file no/such/folder/run.log cannot be opened (No such file or directory)"
    )


APPENDS = """
import sys
from lesionctl.cli.terminal import Terminal
from pathlib import Path
with Terminal() as terminal:
    terminal.open_log(Path("run.log"))
    for number in range(200):
        terminal.detail(f"{sys.argv[1]} {number} " + sys.argv[1] * 300)
"""


def test_tasks_of_an_array_may_share_a_log_file(tmp_path):
    def run(letter):
        subprocess.run([sys.executable, "-c", APPENDS, letter], cwd=tmp_path, check=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, "abcd"))
    said = [message for level, message in logged(tmp_path / "run.log") if level == "DEBUG"]
    for letter in "abcd":
        assert [line for line in said if line[0] == letter] == [f"{letter} {n} {letter * 300}" for n in range(200)]


def test_a_run_that_is_interrupted_says_so_in_the_log(environment, tmp_path):
    words = ["--log-file", "run.log", "fetch", "demo", "--to", "d", "--count", "100000"]
    child = subprocess.Popen(
        [sys.executable, "-m", "lesionctl", *words], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    ends = time.monotonic() + 60
    while not any(tmp_path.glob("**/*.jpg")):
        assert time.monotonic() < ends
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    child.wait(60)
    assert re.match(r"exit code (75|130) after ", logged(tmp_path / "run.log")[-1][1])
