"""Where an optional package is not installed, what needs it says which extra brings it, and all else works."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = Path(__file__).with_name("without.py")

# Files of which the first bytes say what they are.
FILES = {
    "scan.dcm": bytes(128) + b"DICM",
    "scan.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "PH2.rar": b"Rar!\x1a\x07\x01\0",
}
TRAIN = ["--encoder", "mobilenetv3_small_050", "--encoder-weights", "none", "--size", "64", "--epochs", "1"]

# extra, package (the first of those that are missing), what is typed, the exit code
NEEDS = [
    ("onnx", "onnx", ["export", "MODEL", "--to", "onnx"], 1),
    ("onnx", "onnxscript", ["export", "MODEL", "--to", "onnx"], 1),
    ("onnx", "onnxruntime,openvino", ["predict", "PICTURE", "--out", "masks", "--model", "BUNDLED.onnx"], 1),
    ("onnx", "onnxruntime", ["predict", "PICTURE", "--out", "masks", "--backend", "onnxruntime"], 1),
    ("openvino", "openvino", ["export", "MODEL", "--to", "openvino"], 1),
    ("openvino", "openvino", ["predict", "PICTURE", "--out", "masks", "--backend", "openvino"], 1),
    ("plot", "matplotlib", ["eval", "--pred", "MASKS", "--truth", "MASKS", "--report", "report.html"], 1),
    ("plot", "matplotlib", ["bench", "--store", "STORE", "--plot", "speed.png"], 1),
    ("pdf", "weasyprint", ["eval", "--pred", "MASKS", "--truth", "MASKS", "--report", "report.pdf"], 1),
    ("dicom", "pydicom", ["predict", "scan.dcm", "--out", "masks"], 3),  # one input of several, it may be
    ("heif", "pillow_heif", ["predict", "scan.heic", "--out", "masks"], 3),
    ("rar", "rarfile", ["fetch", "ph2", "--to", "ph2", "--from", "PH2.rar"], 1),
    ("tensorboard", "tensorboardX", ["train", "STORE", "--out", "run", "--tensorboard", *TRAIN], 1),
]
ALL = "onnx,onnxruntime,onnxscript,openvino,matplotlib,weasyprint,pydicom,pillow_heif,rarfile,tensorboardX"


@pytest.fixture
def run_without(warm_program, demo, store_path, model_file, tmp_path):
    """A function that runs a command line where packages are missing: exit code, stdout, stderr."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    names = {
        "MODEL": model_file,
        "BUNDLED.onnx": ROOT / "lesionctl" / "models" / "lesion-s.onnx",
        "PICTURE": demo / "images" / "DEMO_0000001.jpg",
        "MASKS": demo / "masks",
        "STORE": store_path,
    }

    def run(packages, words):
        words = [packages, *(str(names.get(word, word)) for word in words)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LESIONCTL_")}
        environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
        if warm_program is not None:
            running = warm_program.start(words, environment, cwd=tmp_path, file=str(WITHOUT))
            said, logged = running.communicate(300)
            return running.wait(), said, logged
        done = subprocess.run(
            [sys.executable, str(WITHOUT), *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("extra", "package", "words", "code"),
    NEEDS,
    ids=[f"{words[0]}-without-{package}" for _, package, words, _ in NEEDS],
)
def test_what_needs_a_missing_package_names_the_extra(run_without, extra, package, words, code):
    returned, said, logged = run_without(package, words)
    package = package.split(",")[0]
    assert (returned, said) == (code, ""), logged
    assert f"pip install 'lesionctl[{extra}]'" in logged
    assert f"'{package.replace('_', '-')}'" in logged
    assert "Traceback" not in logged


def test_every_extra_is_tried():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for extra, *_ in NEEDS} == set(extras) - {"all", "test"}


def test_without_any_extra_the_model_in_the_box_finds_lesions(run_without, tmp_path):
    code, said, logged = run_without(ALL, ["predict", "PICTURE", "--out", "masks"])
    assert (code, said) == (0, "masks/DEMO_0000001_segmentation.png\n"), logged


def test_without_any_extra_a_model_is_trained(run_without, tmp_path):
    code, said, logged = run_without(
        ALL, ["train", "STORE", "--out", "run", "--device", "cpu", *TRAIN, "--repeat", "1"]
    )
    assert (code, said) == (0, "run/model.safetensors\n"), logged
