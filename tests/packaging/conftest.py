"""The two files that are published, built from this tree, and what they hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(source: Path, out: Path, target: str) -> Path:
    """Build the `wheel` or `sdist` of a source tree, as `pip` and `python -m build` do; returns the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out), "--target", target]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="session")
def in_wheel(wheel) -> dict[str, bytes]:
    """Content by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def unpacked_sdist(tmp_path_factory) -> Path:
    """The folder that the source distribution unpacks to."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


class Installed:
    """An environment that has the wheel, and, of this one, all that it depends on."""

    def __init__(self, prefix: Path, wheel: Path) -> None:
        self.prefix = prefix
        venv.create(prefix, symlinks=True)
        self.bin = prefix / ("Scripts" if os.name == "nt" else "bin")
        command = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--no-deps"]
        subprocess.run([*command, "--no-index", str(wheel)], check=True, capture_output=True, timeout=120)
        # A .pth file names folders alone: what is installed here in editable form is not found by it.
        (packages,) = prefix.glob("lib/python3.*/site-packages")
        ours = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
        (packages / "what_it_depends_on.pth").write_text("".join(f"{path}\n" for path in ours))
        self.packages = packages

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of that environment."""
        inherited = {name: os.environ[name] for name in os.environ if not name.startswith(("LESIONCTL_", "PYTHON"))}
        variables = {"HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd), "XDG_CACHE_HOME": str(cwd), "COLUMNS": "100"}
        return subprocess.run(
            [str(self.bin / command[0]), *map(str, command[1:])],
            cwd=cwd, env=inherited | variables, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("prefix") / "venv", wheel)


@pytest.fixture(scope="session")
def wheel_of_sdist(unpacked_sdist, tmp_path_factory) -> Path:
    return build(unpacked_sdist, tmp_path_factory.mktemp("again"), "wheel")
