"""What is in the wheel and in the source distribution, and what is not."""

from __future__ import annotations

import email
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from lesionctl import __version__
from lesionctl.runtime.load import bundled_models

ROOT = Path(__file__).parents[2]
DATA = f"lesionctl-{__version__}.data/data/"
INFO = f"lesionctl-{__version__}.dist-info/"
MOST_BYTES = 20_000_000
PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm", ".heic", ".svg"}


def in_tree(folder):
    return {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_as_it_is_in_the_tree_and_nothing_else(in_wheel):
    packed = {name: content for name, content in in_wheel.items() if not name.startswith((DATA, INFO))}
    assert packed == in_tree("lesionctl")
    assert f"lesionctl/models/{bundled_models()[0]}.safetensors" in packed
    assert not [name for name in in_wheel if PurePosixPath(name).suffix.lower() in PICTURES | {".pyc"}]
    assert not [name for name in in_wheel if {"tests", "__pycache__"} & set(PurePosixPath(name).parts)]


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_comes_with_its_card_its_onnx_file_and_its_split(in_wheel, name):
    for suffix in (".safetensors", ".onnx", ".md", ".split.csv"):
        assert f"lesionctl/models/{name}{suffix}" in in_wheel
    assert "lesionctl/models/protocol.md" in in_wheel


def test_the_wheel_puts_man_pages_and_completions_where_shells_look(in_wheel):
    shared = {name.removeprefix(DATA): content for name, content in in_wheel.items() if name.startswith(DATA)}
    pages = {f"share/{name}": content for name, content in in_tree("man").items()}
    assert shared == pages | {
        "share/bash-completion/completions/lesionctl": (ROOT / "completions" / "lesionctl.bash").read_bytes(),
        "share/zsh/site-functions/_lesionctl": (ROOT / "completions" / "_lesionctl").read_bytes(),
        "share/fish/vendor_completions.d/lesionctl.fish": (ROOT / "completions" / "lesionctl.fish").read_bytes(),
    }
    assert {name.split("/")[2] for name in pages} == {"man1", "man7"}


def test_the_wheel_holds_the_batch_files_that_the_manual_shows(in_wheel):
    folder = "lesionctl/cli/documents/sbatch/"
    names = {name.removeprefix(folder) for name in in_wheel if name.startswith(folder)}
    assert names == {f"{name}.sbatch" for name in ("one-gpu", "one-node", "several-nodes", "predict-array", "requeue")}


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < MOST_BYTES


def test_the_metadata_name_the_licences_of_the_program_and_of_the_weights(in_wheel):
    metadata = email.message_from_bytes(in_wheel[f"{INFO}METADATA"])
    named = metadata.get_all("License-File")
    assert set(named) == {"LICENSE", "lesionctl/models/LICENCES.md", "lesionctl/models/Apache-2.0.txt"}
    for name in named:
        assert in_wheel[f"{INFO}licenses/{name}"] == (ROOT / name).read_bytes()


@pytest.mark.parametrize("name", bundled_models())
def test_the_licences_say_under_what_terms_each_bundled_model_is(name):
    licences = (ROOT / "lesionctl" / "models" / "LICENCES.md").read_text()
    assert f"`{name}.safetensors`" in licences
    assert f"**{name}** learned from" in licences
    for word in ("creativecommons.org/licenses/by-nc/4.0/legalcode", "Apache License 2.0", "They were changed"):
        assert word in " ".join(licences.split())


def test_the_wheel_of_the_source_distribution_is_the_same(wheel, wheel_of_sdist):
    assert wheel_of_sdist.name == wheel.name
    assert wheel_of_sdist.read_bytes() == wheel.read_bytes()


def test_the_source_distribution_holds_the_tests_and_what_they_read(unpacked_sdist):
    there = {str(path.relative_to(unpacked_sdist)) for path in unpacked_sdist.rglob("*") if path.is_file()}
    for folder in ("lesionctl", "tests", "man", "completions", ".ci"):
        assert in_tree(folder).keys() <= there
    assert {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO"} <= there
    assert not [name for name in there if "__pycache__" in name or name.startswith(".git/")]


def test_the_metadata_are_those_of_the_project(in_wheel):
    metadata = email.message_from_bytes(in_wheel[f"{INFO}METADATA"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["Version"] == __version__
    assert set(metadata.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    assert {"onnx", "plot", "dicom", "heif", "openvino", "pdf", "rar", "tensorboard", "all"} <= set(
        project["optional-dependencies"]
    )
    ((name, start),) = project["scripts"].items()
    assert f"{name} = {start}" in in_wheel[f"{INFO}entry_points.txt"].decode()
