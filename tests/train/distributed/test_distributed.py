"""Two processes train as one does, and stop together. Run as a program, this file is one of the two."""

from __future__ import annotations

import csv
import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import safetensors.torch
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from lesionctl.cli.main import main
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import LesionctlError
from lesionctl.nets.model_file import load_model
from lesionctl.progress import Silent
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.scoring.overlap import FIGURES
from lesionctl.train import loop, state
from lesionctl.train.distributed import heartbeat
from lesionctl.train.learning import step
from lesionctl.train.learning.seeding import seed_run
from lesionctl.train.loop import train
from lesionctl.train.options import Resume
from lesionctl.train.start import start
from lesionctl.train.state import identify_run, load_state
from lesionctl.train.validate import score_rows

WAY = {"none": 0.1, "standard": 0.1, "accumulated": 1e-4}
"""How far the weights of two processes may be from those of one, as a share of the way that training has moved them.

Measured after six steps in float32: 1e-6 with norms that are fixed and a teacher ("accumulated"), 0.007 to 0.023 with
batch norms. Another order of the same pictures within each step, in one process, does as much (0.007): AdamW makes
whole steps of gradients that are nothing but rounding. With norms that each process keeps to itself it is 1.3. That a
single step agrees to 1e-12 in float64 is tested beside the norms.
"""


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)

    def row(self, values):
        self.said.append(f"epoch {values['epoch']}")


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


def norms_are_fixed(store, out, options):
    """Batch norms that do not depend on the batch: it can be cut in any way."""
    with patch.object(_BatchNorm, "train", lambda norm, _=True: torch.nn.Module.train(norm, False)):
        return trained(store, out, options)


def second_looks_elsewhere(store, out, options):
    """The second process sees another directory, as on a disk that it does not share."""
    return trained(store, out if os.environ["SLURM_PROCID"] == "0" else out.with_name("elsewhere"), options)


def second_is_told_to_stop(store, out, options):
    """SIGTERM comes to the second process in its fourth step, which is the first of the second epoch."""
    seed = loop.seed_step

    def seed_and_stop(number, step, rank):
        seed(number, step, rank)
        if (rank, step) == (1, 3):
            os.kill(os.getpid(), signal.SIGTERM)

    with patch.object(loop, "seed_step", seed_and_stop):
        outcome = trained(store, out, options)
    if os.environ["SLURM_PROCID"] == "0":
        shutil.copytree(out, out.with_name("as stopped"))
    return outcome


def second_has_no_loss(store, out, options):
    """The loss of the second process is no number in its second step."""
    make_loss = step.make_loss

    def make_bad_loss(*args, **kwargs):
        loss_of, calls = make_loss(*args, **kwargs), []

        def bad(logits, truth):
            calls.append(None)
            bad_one = os.environ["SLURM_PROCID"] == "1" and len(calls) == 2
            return loss_of(logits, truth) * (math.nan if bad_one else 1.0)

        return bad

    with patch.object(step, "make_loss", make_bad_loss):
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
    )  # fmt: skip
    typed = [text for name in names for text in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    channels = ",".join(map(str, options.decoder_channels))
    return ["train", str(store), "--out", str(out), "--decoder-channels", channels, *typed]


def work(folder):
    """Be one of two processes: one training after another."""
    torch.set_num_threads(1)
    heartbeat.BEAT, heartbeat.MISSED = 0.1, 100
    for scenario, label, store, out, options in pickle.loads((folder / "plan").read_bytes()):
        outcome = globals()[scenario](store, folder / out, options)
        (folder / f"{label}.{os.environ['SLURM_PROCID']}").write_text(json.dumps(outcome))


@pytest.fixture(scope="module")
def options(tiny_options):
    """Two epochs of three steps of four pictures, two in each of two processes."""
    return replace(tiny_options, repeat=2, name="unnamed")


@pytest.fixture(scope="module")
def ended(two_processes, store_path, options, model_file, tmp_path_factory):
    """The directory in which two processes have worked, started as by SLURM, and the two."""
    folder = tmp_path_factory.mktemp("distributed")
    plan = [
        (as_it_is, "none", "none", replace(options, augment="none")),
        (as_it_is, "standard", "standard", options),
        (
            norms_are_fixed,
            "accumulated",
            "accumulated",
            replace(options, batch_size=1, accumulate=2, teacher=(str(model_file),)),
        ),
        (second_is_told_to_stop, "stopped", "stopped", options),
        (second_looks_elsewhere, "elsewhere", "stopped", options),
        (as_it_is, "went on", "stopped", options),
        (second_has_no_loss, "no loss", "no loss", options),
        (first_is_killed, "killed", "killed", replace(options, save_every=1e-9)),
    ]
    lines = [(scenario.__name__, label, store_path, out, chosen) for scenario, label, out, chosen in plan]
    (folder / "plan").write_bytes(pickle.dumps(lines))
    with two_processes(__file__, folder, launcher="slurm") as started:
        ends = [(*process.communicate(timeout=120), process.returncode) for process in started]
    return folder, ends


@pytest.fixture(scope="module")
def outcome(ended):
    """A function that gives what came of a training, in the first process and in the second."""
    return lambda label: [json.loads((ended[0] / f"{label}.{rank}").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone(store_path, options, model_file, tmp_path_factory):
    """What comes of the same trainings in this process, with all pictures of a step at once, and where."""
    folder = tmp_path_factory.mktemp("alone")
    scenarios = {
        "none": (as_it_is, replace(options, augment="none", batch_size=4)),
        "standard": (as_it_is, replace(options, batch_size=4)),
        "accumulated": (norms_are_fixed, replace(options, batch_size=4, teacher=(str(model_file),))),
    }
    return folder, {name: scenario(store_path, folder / name, chosen) for name, (scenario, chosen) in scenarios.items()}


@pytest.fixture(scope="module")
def killed(ended, tmp_path_factory):
    """The run directory as the killed process has left it."""
    return shutil.copytree(ended[0] / "killed", tmp_path_factory.mktemp("killed") / "killed")


@pytest.fixture(scope="module")
def by_torchrun(ended, killed, store_path, options):
    """What the real torchrun makes of the run that was killed: the same command goes on."""
    typed = command(store_path, ended[0] / "killed", replace(options, save_every=1e-9))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    return subprocess.run(
        [*launcher, "-m", "lesionctl", *typed], capture_output=True, text=True, timeout=120, check=False
    )


def weights_of(tensors):
    """All that is learned, as one vector in float64."""
    return torch.cat(
        [values.double().flatten() for name, values in sorted(tensors.items()) if name.endswith(("weight", "bias"))]
    )


def read_metrics(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


def read_events(run_dir):
    return [json.loads(line) for line in (run_dir / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", WAY)
def test_two_processes_see_the_pictures_that_one_sees_in_the_same_order(outcome, alone, name):
    parts = [first + second for first, second in zip(*(each["shown"] for each in outcome(name)), strict=True)]
    assert parts == alone[1][name]["shown"]
    assert [len(step) for step in parts] == [4] * 6


@pytest.mark.parametrize("name", WAY)
def test_two_processes_learn_what_one_learns(ended, alone, store_path, options, name):
    seed_run(options)
    before = weights_of(start(options, open_store(store_path), Silent()).net.state_dict())
    one, two = (
        weights_of(safetensors.torch.load_file(folder / name / "last.safetensors")) for folder in (alone[0], ended[0])
    )
    way = (two - one).norm() / (one - before).norm()
    assert way <= WAY[name], f"{way:.1e}"


@pytest.mark.parametrize("name", WAY)
def test_two_processes_tell_the_losses_and_figures_that_one_tells(ended, alone, name):
    names = ["epoch", "lr", "loss", *(f"val_{figure}" for figure in FIGURES)]
    for one, two in zip(*(read_metrics(folder / name) for folder in (alone[0], ended[0])), strict=True):
        assert [two[name] for name in names] == pytest.approx([one[name] for name in names], rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("name", ["none", "standard"])
def test_figures_of_shared_validation_are_those_of_one_process_to_the_last_digit(ended, store_path, options, name):
    store, compute = open_store(store_path), choose_compute("cpu", options.precision)
    segmenter = TorchSegmenter(*load_model(ended[0] / name / "last.safetensors"), compute)
    row = read_metrics(ended[0] / name)[-1]
    scores = score_rows(segmenter, store, store.rows(Split.VALIDATION))
    assert {figure: row[f"val_{figure}"] for figure in FIGURES} == scores


def test_only_the_first_process_tells_what_came_of_it(ended, outcome):
    first, second = outcome("standard")
    assert set(first["validation"]) == set(FIGURES)
    assert first["said"] == ["epoch 1", "epoch 2"]
    assert (second["validation"], second["said"]) == (None, [])
    assert [event["event"] for event in read_events(ended[0] / "standard")].count("begin") == 1
    assert ended[1][1][0] == ""


def test_signal_to_one_process_stops_both_after_the_same_step_with_one_state(ended, outcome, options):
    first, second = outcome("stopped")
    where = "in epoch 2 after step 1; the state is saved"
    hint = "the same command goes on from here"
    assert first["error"] == [f"stopped by another process {where}", 75, hint]
    assert second["error"] == [f"stopped by SIGTERM {where}", 75, hint]
    assert len(first["shown"]) == len(second["shown"]) == 4
    assert [event["event"] for event in read_events(ended[0] / "as stopped")].count("stop") == 1
    newest, before = (
        torch.load(ended[0] / "as stopped" / name, weights_only=True) for name in ("state.pt", "state.previous.pt")
    )
    assert [(values["epoch"], values["step"]) for values in (before, newest)] == [(1, 0), (1, 1)]


def test_stopped_run_of_two_goes_on_to_the_same_weights_to_the_bit(ended, outcome, same_weights):
    assert outcome("went on")[0]["said"] == ["going on with epoch 2, step 2", "epoch 2"]
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(ended[0] / "stopped" / name, ended[0] / "standard" / name)
    stopped, whole = (read_metrics(ended[0] / name) for name in ("stopped", "standard"))
    for one, two in zip(stopped, whole, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-12)  # both processes' losses, those before the stop too
        assert one["val_dice"] == two["val_dice"]


def test_processes_that_do_not_share_the_run_directory_are_refused(outcome):
    for each in outcome("elsewhere"):
        what, code, hint = each["error"]
        assert "do not share" in what
        assert (code, each["shown"]) == (2, [])
        assert "that all of them see" in hint


def test_loss_of_one_process_that_is_no_number_stops_both(ended, outcome):
    first, second = (each["error"] for each in outcome("no loss"))
    assert "the gradient's norm is nan in epoch 1 at step 2" in first[0]
    assert "the loss is nan in epoch 1 at step 2" in second[0]
    assert first[1] == second[1] == 1
    assert not list((ended[0] / "no loss").glob("state*"))


def test_where_the_first_process_is_killed_the_other_ends_and_the_state_before_is_whole(
    ended, killed, store_path, options
):
    (_, _, first), (_, logged, second) = ended[1]
    assert (first, second) == (-signal.SIGKILL, 1)
    assert f"error: {heartbeat.PEER_LOST}" in logged
    assert "the last saved state is kept" in logged
    assert len(list(killed.glob(".state.next.pt.*.part"))) == 1  # it was really writing one
    run = identify_run(options, open_store(store_path).info, 2)
    found = load_state(killed / "state.pt", run, Resume.MUST, Silent())
    assert (found.epoch, found.step) == (1, 0)


def test_torchrun_goes_on_from_it_to_the_same_weights_to_the_bit(ended, by_torchrun, same_weights):
    out = ended[0] / "killed"
    assert by_torchrun.returncode == 0, by_torchrun.stderr
    assert by_torchrun.stdout.splitlines()[0] == str(out / "model.safetensors")
    assert by_torchrun.stderr.count("going on with epoch 2, step 1") == 1
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(out / name, ended[0] / "standard" / name)
    assert not list(out.glob(".*"))


if __name__ == "__main__":
    work(Path(sys.argv[1]))
