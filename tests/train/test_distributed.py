"""Two processes train one model as one process does, and stop together. Run as a program, this file is one of the two."""

from __future__ import annotations

import csv
import json
import math
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import safetensors.torch
import torch

from lesionctl.cli.main import main
from lesionctl.dataset.store import open_store
from lesionctl.errors import LesionctlError
from lesionctl.progress import Silent
from lesionctl.train import heartbeat, loop, state
from lesionctl.train.loop import train
from lesionctl.train.options import Resume, TrainOptions
from lesionctl.train.state import load_state

HALF = 2  # pictures of a step in each of two processes


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)

    def row(self, values):
        self.said.append("a row")


def trained(store, out, options):
    """What comes of a training, in words: its figures, the pictures of each step, what was said, the error."""
    shown, listener, outcome = [], Listener(), {"error": None, "validation": None}
    see = loop.LossWatch.see

    def see_and_keep(watch, step, rows, *values):
        shown.append(rows.tolist())
        return see(watch, step, rows, *values)

    with patch.object(loop.LossWatch, "see", see_and_keep):
        try:
            result = train(store, out, options, progress=listener)
        except LesionctlError as error:
            outcome["error"] = [error.what, error.exit_code, error.hint]
        else:
            outcome["validation"] = result and result.validation
    return {**outcome, "shown": shown, "said": listener.said}


def as_it_is(store, out, options):
    return trained(store, out, options)


def second_is_told_to_stop(store, out, options):
    """SIGTERM comes to the second process in its fourth step, which is the first of the second epoch."""
    seed = loop.seed_step

    def seed_and_stop(number, step, rank):
        seed(number, step, rank)
        if (rank, step) == (1, 3):
            os.kill(os.getpid(), signal.SIGTERM)

    with patch.object(loop, "seed_step", seed_and_stop):
        return trained(store, out, options)


def second_has_no_loss(store, out, options):
    """The loss of the second process is no number in its second step."""
    make_loss = loop.make_loss

    def make_bad_loss(*args):
        loss_of, calls = make_loss(*args), []

        def bad(logits, truth):
            calls.append(None)
            bad_one = os.environ["SLURM_PROCID"] == "1" and len(calls) == 2
            return loss_of(logits, truth) * (math.nan if bad_one else 1.0)

        return bad

    with patch.object(loop, "make_loss", make_bad_loss):
        return trained(store, out, options)


def first_is_killed(store, out, options):
    """The program itself; the first process is killed with its fifth state half written."""
    write, states = state.write_bytes, []

    def write_and_die(path, content):
        states.append(path)
        if len(states) == 5:
            os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        write(path, content)

    sys.argv = ["lesionctl", *command(store, out, options)]
    with patch.object(state, "write_bytes", write_and_die):
        main()


def command(store, out, options):
    """The arguments of `lesionctl` that mean these options."""
    names = (
        "encoder", "encoder_weights", "size", "epochs", "repeat", "batch_size", "save_every", "device", "precision",
        "name",
    )  # fmt: skip
    typed = [text for name in names for text in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    channels = ",".join(map(str, options.decoder_channels))
    return ["train", str(store), "--out", str(out), *typed, "--decoder-channels", channels]


def work(plan):
    """Be one of two processes: one training after another, each with a port of its own."""
    torch.set_num_threads(1)
    heartbeat.BEAT, heartbeat.MISSED = 0.1, 100
    for scenario, name, port, store, out, options in pickle.loads(Path(plan).read_bytes()):
        os.environ["MASTER_PORT"] = port
        outcome = globals()[scenario](store, out / name, options)
        (out / f"{name}.{os.environ['SLURM_PROCID']}.json").write_text(json.dumps(outcome))


@pytest.fixture(scope="module")
def options(tiny_options) -> TrainOptions:
    """Two epochs of three steps of four pictures, two in each of two processes."""
    return replace(tiny_options, batch_size=HALF, repeat=2)


@pytest.fixture(scope="module")
def ended(two_processes, free_port, store_path, options, tmp_path_factory):
    """The directory in which two processes have worked, started as by SLURM, and how they ended."""
    out = tmp_path_factory.mktemp("distributed")
    plan = [
        (scenario.__name__, name, free_port(), store_path, out, chosen)
        for scenario, name, chosen in (
            (as_it_is, "none", replace(options, augment="none")),
            (as_it_is, "standard", options),
            (second_is_told_to_stop, "stopped", options),
            (as_it_is, "stopped-went-on", options),
            (second_has_no_loss, "bad", options),
            (first_is_killed, "killed", replace(options, save_every=1e-9)),
        )
    ]
    plan = [(*rest[:1], *rest[1:]) for rest in plan]
    (out / "plan").write_bytes(pickle.dumps(plan))
    (out / "stopped-went-on").symlink_to(out / "stopped")
    (out / "stopped").mkdir()
    with two_processes(__file__, out / "plan", launcher="slurm") as started:
        ends = []
        for process in reversed(started):
            said, logged = process.communicate(timeout=120)
            ends.append((process.returncode, said, logged))
    return out, ends[::-1]


def test_x(ended, store_path, options, tmp_path, same_weights):
    out, ends = ended
    for e in ends:
        print(*e)
    for f in sorted(out.glob("*.json")):
        print(f.name, f.read_text())
    init = None
    for name in ("none", "standard"):
        one = trained(store_path, tmp_path / name, replace(options, batch_size=2 * HALF, augment=name))
        two = [json.loads((out / f"{name}.{r}.json").read_text()) for r in (0, 1)]
        print(one["validation"], two[0]["validation"])
        print(one["shown"], [a + b for a, b in zip(two[0]["shown"], two[1]["shown"])])
        a = safetensors.torch.load_file(tmp_path / name / "last.safetensors")
        b = safetensors.torch.load_file(out / name / "last.safetensors")
        init = trained(store_path, tmp_path / (name + "i"), replace(options, batch_size=2 * HALF, augment=name, lr=1e-30, epochs=1))
        c = safetensors.torch.load_file(tmp_path / (name + "i") / "last.safetensors")
        fl = lambda d: torch.cat([v.double().flatten() for k, v in d.items() if "running" not in k and "num_b" not in k])
        st = lambda d: torch.cat([v.double().flatten() for k, v in d.items() if "running" in k])
        print("weights rel", ((fl(a) - fl(b)).norm() / fl(a).norm()).item(), "to change", ((fl(a) - fl(b)).norm() / (fl(a) - fl(c)).norm()).item(), "max", (fl(a) - fl(b)).abs().max().item())
        print("stats", ((st(a) - st(b)).norm() / st(a).norm()).item())
        print((tmp_path / name / "metrics.csv").read_text(), (out / name / "metrics.csv").read_text())
    print(same_weights(out / "standard" / "last.safetensors", out / "stopped" / "last.safetensors"))
    print((out / "stopped" / "metrics.csv").read_text())
    print(sorted(p.name for p in (out / "killed").iterdir()))
    assert 0


if __name__ == "__main__":
    work(sys.argv[1])
