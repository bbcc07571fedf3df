"""The wheel as a person installs it: the program runs from anywhere, with its model, pages and completions."""

from __future__ import annotations

import re
import subprocess
import zipfile

import pytest

from lesionctl import __version__


@pytest.mark.parametrize("program", [["lesionctl"], ["python", "-m", "lesionctl"]], ids=["script", "module"])
def test_the_installed_program_knows_its_version(installed, tmp_path, program):
    done = installed.run(*program, "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"lesionctl {__version__}\n", "")


def test_the_version_is_the_same_everywhere(installed, wheel, tmp_path):
    assert wheel.name == f"lesionctl-{__version__}-py3-none-any.whl"
    script = "import lesionctl; from importlib.metadata import version; print(lesionctl.__file__)\n"
    script += "print(lesionctl.__version__, version('lesionctl'))"
    file, versions = installed.run("python", "-c", script, cwd=tmp_path).stdout.splitlines()
    assert file.startswith(str(installed.packages))  # not this tree
    assert versions == f"{__version__} {__version__}"
    pages = [*installed.prefix.glob("share/man/man?/lesionctl*")]
    assert len(pages) >= 16
    for page in pages:
        heading = next(line for line in page.read_text().splitlines() if line.startswith(".TH"))
        assert re.search(rf'"lesionctl {re.escape(__version__)}"', heading), page.name


def test_the_installed_program_finds_lesions_with_its_own_model(installed, tmp_path):
    assert installed.run("lesionctl", "--offline", "fetch", "demo", "--to", "demo", "--count", "2", cwd=tmp_path).stdout
    done = installed.run("lesionctl", "--offline", "predict", "demo/images", "--out", "masks", cwd=tmp_path)
    masks = ["masks/DEMO_0000000_segmentation.png", "masks/DEMO_0000001_segmentation.png"]
    assert (done.returncode, done.stdout.splitlines()) == (0, masks), done.stderr
    assert all((tmp_path / mask).is_file() for mask in masks)


def test_topics_and_batch_files_are_shown_by_the_installed_program(installed, tmp_path):
    done = installed.run("lesionctl", "help", "slurm", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("#!/bin/bash") == 5
    assert "Under what terms" not in done.stdout


def test_pages_and_completions_lie_where_shells_look(installed):
    share = installed.prefix / "share"
    for name in (
        *("man/man1/lesionctl.1", "man/man1/lesionctl-predict.1", "man/man7/lesionctl-exit-codes.7"),
        *("bash-completion/completions/lesionctl", "zsh/site-functions/_lesionctl"),
        "fish/vendor_completions.d/lesionctl.fish",
    ):
        assert (share / name).is_file()


def test_the_package_runs_from_the_wheel_unpacked_anywhere(installed, wheel, tmp_path):
    """As tools that install into a folder of their own do."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "app")
    path = installed.packages / "what_it_depends_on.pth"
    script = f"import sys; sys.path[:0] = ['app']; sys.path += {path.read_text().split()!r}\n"
    script += "sys.argv[1:] = ['--version']; import runpy; runpy.run_module('lesionctl', run_name='__main__')"
    done = subprocess.run(
        [str(installed.bin / "python"), "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"lesionctl {__version__}\n"
