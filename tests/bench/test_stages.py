from __future__ import annotations

import itertools
import json
import tempfile
import time
from dataclasses import replace

import pytest

from lesionctl.bench.split import Machine, Stage, Stages
from lesionctl.bench.stages import split_stages
from lesionctl.errors import BadFile
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.runtime.load import load_segmenter

SLOW, FAST = Machine(openvino=False, bf16=False), Machine(openvino=True, bf16=True)


@pytest.fixture
def pictures(demo):
    return sorted((demo / "images").iterdir())[:3]


@pytest.fixture
def segmenter(model_file):
    return load_segmenter(str(model_file), "cpu")


def made_up(backend, *, forward, decode=6, encode=4, bits=1.2, processors=2, network=100.0, machine=FAST):
    """A split: milliseconds of these stages, one of each other, 8-bit masks."""
    ms = {**dict.fromkeys(Stage, 1), Stage.FORWARD: forward, Stage.DECODE: decode, Stage.ENCODE: encode}
    return Stages(
        backend=backend,
        form=MaskForm.GREY8,
        processors=processors,
        pictures=10,
        seconds={stage: value / 1e3 for stage, value in ms.items()},
        encoding={MaskForm.GREY8: encode / 1e3, MaskForm.BITS1: bits / 1e3},
        decoding=300.0,
        network=network,
        machine=machine,
    )


def test_each_stage_of_real_pictures_takes_time(segmenter, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stages = split_stages(segmenter, pictures, MaskForm.BITS1)
    assert list(stages.seconds) == list(Stage)
    assert min(stages.seconds.values()) > 0
    assert stages.seconds[Stage.ENCODE] == stages.encoding[MaskForm.BITS1]
    assert (stages.pictures, stages.backend, stages.processors) == (3, segmenter.backend, 1)
    assert min(stages.decoding, stages.network) > 0
    assert not list(tmp_path.iterdir())
    assert json.loads(json.dumps(stages.to_dict())) == stages.to_dict()


def test_a_stage_counts_every_picture_and_of_a_padded_batch_those_that_are_real(segmenter, pictures, monkeypatch):
    # Each reading of a clock is 2 s after the one before: each call of a stage takes 2 s, and each batch of 8 too.
    for name in ("thread_time", "process_time", "perf_counter"):
        clock = itertools.count(0, 2)
        monkeypatch.setattr(time, name, lambda clock=clock: next(clock))
    stages = split_stages(segmenter, pictures)
    assert stages.seconds == {**dict.fromkeys(Stage, 2), Stage.FORWARD: 2 / 8}
    assert stages.encoding == dict.fromkeys(MaskForm, 2)
    assert stages.network == 8 / 2
    assert stages.decoding == 3 / 2


def test_a_picture_that_cannot_be_used_is_named(segmenter, pictures, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"x")
    with pytest.raises(BadFile, match=r"bad\.jpg"):
        split_stages(segmenter, [*pictures, tmp_path / "bad.jpg"])


def test_on_the_processor_all_stages_share_it():
    stages = made_up("openvino bf16 cpu", forward=25)  # 40 ms in all
    assert stages.spread == pytest.approx(50)
    assert stages.shares[Stage.FORWARD] == pytest.approx(0.625)
    assert sum(stages.shares.values()) == pytest.approx(1)
    assert stages.bound is Stage.FORWARD
    assert made_up("openvino bf16 cpu", forward=4).bound is Stage.DECODE


@pytest.mark.parametrize(
    ("network", "bound"),
    [(1000, Stage.DECODE), (133, Stage.FORWARD), (134, Stage.DECODE)],  # two processors, 15 ms each: 133.3 a second
)
def test_an_accelerator_bounds_where_the_processors_are_faster(network, bound):
    stages = made_up("torch bf16 cuda:1", forward=90, decode=6, network=network, encode=4)
    assert stages.spread == pytest.approx(2 / 0.015)
    assert Stage.FORWARD not in stages.shares
    assert stages.bound is bound


@pytest.mark.parametrize(
    ("stages", "advice"),
    [
        # 8-bit masks: 4 of 40 ms instead of 1.2 are worth a word, 2 instead of 1.2 are not.
        (
            made_up("openvino bf16 cpu", forward=25),
            ["10 % of the time, and 1-bit masks would take 3 %", "--mask-format 1-bit"],
        ),
        (
            made_up("openvino bf16 cpu", forward=27, encode=2),
            ["all 2 processors are at work", "--cpus-per-task", "--shard"],
        ),
        (
            replace(made_up("openvino bf16 cpu", forward=25), form=MaskForm.BITS1),
            ["all 2 processors are at work", "--cpus-per-task", "--shard"],
        ),
        # The network: from 40 % on.
        (made_up("torch bf16 cpu", forward=28, encode=1), ["70 % of the time", "--backend openvino"]),
        (
            made_up("torch bf16 cpu", forward=7, encode=1),
            ["all 2 processors are at work", "--cpus-per-task", "--shard"],
        ),
        (made_up("torch fp32 cpu", forward=28, encode=1), ["--backend openvino", "--precision bf16"]),
        (made_up("openvino fp32 cpu", forward=28, encode=1), ["--precision bf16"]),
        (made_up("onnxruntime fp32 cpu", forward=28, encode=1), ["--backend openvino"]),
        (
            made_up("torch fp32 cpu", forward=28, encode=1, machine=SLOW),
            ["pip install 'lesionctl[openvino]'", "no bfloat16 instructions"],
        ),
        (made_up("onnxruntime fp32 cpu", forward=28, encode=1, machine=SLOW), ["no bfloat16 instructions"]),
        # An accelerator that waits, and one that is waited for.
        (
            made_up("torch bf16 cuda", forward=9, encode=1, network=2000),  # 12 ms beside the network
            [
                "could do 2000 pictures a second, and what the processors do for it limits that to 167",
                "--cpus-per-task",
            ],
        ),
        (made_up("torch bf16 cuda", forward=9, network=2000), ["--mask-format 1-bit", "--cpus-per-task"]),
        (made_up("torch bf16 cuda", forward=9, network=50), ["the network bounds", "--shard"]),
        (made_up("torch fp32 cuda", forward=9, network=50), ["leave out --precision fp32"]),
        (made_up("onnxruntime fp32 cuda", forward=9, network=50), ["the network bounds", "--shard"]),
    ],
)
def test_advice_follows_from_the_figures(stages, advice):
    text = "\n".join(stages.advice)
    for words in advice:
        assert words in text
    for option in ("--mask-format", "--backend", "--precision", "--shard", "--cpus-per-task", "pip", "no bfloat16"):
        assert (option in text) == any(option in words for words in advice), option


def test_limits_and_times_are_in_the_dictionary():
    values = made_up("openvino bf16 cpu", forward=25).to_dict()
    assert values["limits"] == pytest.approx({"decoding": 300, "network": 100, "all stages": 50})
    assert values["ms"] == pytest.approx(
        {"read": 1, "decode": 6, "resize": 1, "forward": 25, "upsample": 1, "review": 1, "encode": 4, "write": 1}
    )
    assert values["encode_ms"] == pytest.approx({"8-bit": 4, "1-bit": 1.2})
    assert values["bound"] == "forward"
