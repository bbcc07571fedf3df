"""What many tests share: a drawn demo set, a store made from it, a tiny model file, a tiny finished run."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

# One processor for everything: the networks here are too small for more, and a bit-equal result needs a fixed number.
os.environ["SLURM_CPUS_PER_TASK"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

# The program leaves a signal alone that its parent ignores, as shells have it in the background; these tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image as Pillow
from warm_program import WarmProgram

from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.masks import encode_mask
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.prepare.split import Shares

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("suite")

STORE_SIZE = 64
TINY_ENCODER = "mobilenetv3_small_050"
TINY_DECODER = (32, 24, 16, 16, 8)


@pytest.fixture
def write_pair():
    """A function that writes a picture and its mask, a dark disc on skin, under any names."""

    def write(image_path, mask_path, *, height=60, width=80, centre=(0.5, 0.5), shade=90):
        image_path.parent.mkdir(parents=True, exist_ok=True)
        mask_path.parent.mkdir(parents=True, exist_ok=True)
        y, x = np.mgrid[:height, :width]
        mask = np.hypot(y - centre[0] * height, x - centre[1] * width) < min(height, width) / 4
        image = np.full((height, width, 3), (225, 180, 160), np.uint8)
        image[mask] = (shade, shade // 2, shade // 2)
        Pillow.fromarray(image).save(image_path)
        mask_path.write_bytes(encode_mask(mask))

    return write


@pytest.fixture(scope="session")
def warm_program(tmp_path_factory):
    """A process that has the program's libraries loaded, to be forked; None where that is not safe."""
    if sys.platform != "linux":
        yield None
        return
    program = WarmProgram(tmp_path_factory.mktemp("warm"))
    yield program
    program.close()


@pytest.fixture(scope="session")
def make_sample():
    """A function that makes a sample of which only some fields matter."""
    from lesionctl.dataset.samples import Sample, Split

    def make(name="A", **fields):
        sample = Sample(
            id=name,
            source="set",
            group=f"id={name}",
            split=Split.TRAIN,
            fold=None,
            keys=(),
            diagnosis="",
            image=Path(f"/images/{name}.jpg"),
            mask=Path(f"/masks/{name}.png"),
            height=20,
            width=30,
            lesion_fraction=0.25,
            sha256=hashlib.sha256(name.encode()).hexdigest(),
            mask_sha256=hashlib.sha256(f"mask of {name}".encode()).hexdigest(),
        )
        return replace(sample, **fields)

    return make


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder of 12 drawn pictures with masks and metadata; not to be changed."""
    return draw_demo(tmp_path_factory.mktemp("demo") / "demo", count=12).directory


@pytest.fixture(scope="session")
def store_path(demo, tmp_path_factory):
    """A store of the demo set at 64 pixels: 7 pictures to train on, 2 for validation, 3 for test; not to be changed."""
    out = tmp_path_factory.mktemp("store") / "store"
    return prepare([FolderSource.at(demo)], out, PrepareOptions(size=STORE_SIZE, shares=Shares(60, 15, 25))).store


@pytest.fixture(scope="session")
def other_split_path(demo, tmp_path_factory):
    """The same pictures split otherwise: the test split holds some that `store_path` trains on, and some that not."""
    out = tmp_path_factory.mktemp("other_split") / "store"
    options = PrepareOptions(size=STORE_SIZE, shares=Shares(60, 15, 25), seed=2)
    return prepare([FolderSource.at(demo)], out, options).store


@pytest.fixture(scope="session")
def folded_path(demo, tmp_path_factory):
    """The same pictures in three folds, beside a test split."""
    out = tmp_path_factory.mktemp("folds") / "store"
    return prepare([FolderSource.at(demo)], out, PrepareOptions(size=STORE_SIZE, folds=3)).store


@pytest.fixture(scope="session")
def tiny_options():
    """Options of a training that takes about a second: 2 epochs of 3 steps."""
    from lesionctl.runtime.precision import Precision
    from lesionctl.train.options import TrainOptions

    return TrainOptions(
        encoder=TINY_ENCODER,
        encoder_weights="none",
        decoder_channels=TINY_DECODER,
        size=STORE_SIZE,
        epochs=2,
        repeat=1,
        batch_size=2,
        device="cpu",
        precision=Precision.FP32,
        name="tiny",
    )


@pytest.fixture(scope="session")
def finished_run(store_path, tiny_options, tmp_path_factory):
    """The result of a tiny training; its run directory, not to be changed, is `finished_run.model.parent`."""
    from lesionctl.train.loop import train

    return train(store_path, tmp_path_factory.mktemp("run") / "run", tiny_options)


@pytest.fixture(scope="session")
def run_dir(finished_run):
    """The directory of a finished run; not to be changed."""
    return finished_run.model.parent


@pytest.fixture(scope="session")
def tiny_spec():
    """How the tiny model is used."""
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.nets.spec import UNetSpec

    return ModelSpec(
        net=UNetSpec(TINY_ENCODER, TINY_DECODER),
        size=STORE_SIZE,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        threshold=0.4,
        name="tiny",
        licence="CC0",
        training_data="nothing",
        training_digest="ab" * 32,
        scores={"demo test dice per-image": 0.25},
    )


@pytest.fixture(scope="session")
def tiny_net(tiny_spec):
    """The network of the tiny model, with random weights, in evaluation mode; not to be changed."""
    import torch

    from lesionctl.nets.build import build_net

    torch.manual_seed(0)
    return build_net(tiny_spec.net).eval()


@pytest.fixture(scope="session")
def model_file(tiny_spec, tiny_net, tmp_path_factory):
    """A model file with random weights; not to be changed."""
    from lesionctl.nets.model_file import save_model

    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, tiny_spec, tiny_net.state_dict())
    return path
