"""A training that is killed again and again, at any moment, ends with the weights of one that never was.

`LESIONCTL_TEST_KILLS=10 pytest tests/cli/test_killed_training.py` kills it more often.
"""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
import safetensors.torch
import torch

KILLS = int(os.environ.get("LESIONCTL_TEST_KILLS", "4"))


@pytest.fixture
def start(start_lesionctl, store_path, tiny_options):
    """A function that starts the real program: 12 epochs of 7 steps, with a state on disk about every second step."""
    options = {
        "encoder": tiny_options.encoder,
        "encoder-weights": "none",
        "decoder-channels": ",".join(map(str, tiny_options.decoder_channels)),
        "size": 64,
        "epochs": 12,
        "patience": 12,
        "repeat": 2,
        "batch-size": 2,
        "precision": "fp32",
        "device": "cpu",
        "save-every": 0.001,
        "overlays": 0,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]

    return lambda out: start_lesionctl("train", store_path, *words, "--out", out)


def test_killed_at_random_moments_it_ends_with_the_same_weights_to_the_bit(start, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(whole)
    wait_until_it_trains(process, whole)
    began = time.monotonic()
    assert process.wait(300) == 0
    seconds = time.monotonic() - began

    moments, codes = random.Random(7), []
    for number in range(KILLS):
        process = start(killed)
        wait_until_it_trains(process, killed)
        time.sleep(moments.uniform(0, 0.8 * seconds / KILLS))
        process.send_signal((signal.SIGKILL, signal.SIGTERM)[number % 2])
        codes.append(process.wait(60))
    assert codes == [(-signal.SIGKILL, 75)[number % 2] for number in range(KILLS)]

    assert start(killed).wait(300) == 0
    for name in ("model.safetensors", "last.safetensors"):
        ours, theirs = (safetensors.torch.load_file(folder / name) for folder in (killed, whole))
        assert all(torch.equal(ours[tensor], theirs[tensor]) for tensor in theirs), name
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir())


def wait_until_it_trains(process, out):
    """Until this process says in the log that it begins."""
    before = times_begun(out)
    while times_begun(out) == before:
        assert process.poll() is None, "it ended before it began"
        time.sleep(0.02)


def times_begun(out):
    log = out / "log.jsonl"
    return log.read_text().count('"begin"') if log.is_file() else 0
