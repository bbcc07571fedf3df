"""Teachers: what several say of the same views, at their own sizes, and what a student makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.build import build_net
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import ClassicSpec
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.train.learning import teachers as learning
from lesionctl.train.learning.running_mean import RunningMean
from lesionctl.train.learning.step import TrainingStep
from lesionctl.train.learning.teachers import Teachers
from lesionctl.train.memory.trial import Trial
from lesionctl.train.options import TrainOptions

CPU = Compute(torch.device("cpu"), Precision.FP32)
SPEC = ModelSpec(net=ClassicSpec((4, 8)), size=64, mean=(0.5, 0.5, 0.5), std=(0.2, 0.3, 0.4))


def smooth_views(count=3, side=64):
    """Pictures without detail that a change of size would lose: uint8 `[N, S, S, 3]`."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    fine = nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return (255 * fine).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@pytest.fixture
def save_teacher(tmp_path):
    """A function that writes a model with random weights, which is sure of what it says, and gives its file."""

    def save(seed, **changes):
        torch.manual_seed(seed)
        path = tmp_path / f"teacher-{seed}.safetensors"
        net = build_net(SPEC.net)
        with torch.no_grad():
            net.head.weight *= 40
        save_model(path, replace(SPEC, **changes), net.state_dict())
        return path

    return save


@pytest.mark.parametrize("sizes", [(64,), (64, 64), (64, 64, 64)])
def test_they_answer_together_with_the_mean_of_their_probabilities(save_teacher, sizes):
    files = [save_teacher(seed, size=size, mean=(0.1 * seed,) * 3) for seed, size in enumerate(sizes)]
    images = smooth_views()
    expected = np.mean([TorchSegmenter(*load_model(file), CPU).forward(images.numpy()) for file in files], axis=0)
    said = Teachers(files, 0.5, CPU).probability(images)
    assert (said.shape, said.dtype) == ((3, 1, 64, 64), torch.float32)
    np.testing.assert_allclose(said[:, 0], expected, atol=1e-6)
    assert said.std() > 0.01


@pytest.mark.parametrize(("size", "tolerance"), [(32, 0.01), (96, 0.01), (128, 0.01)])
def test_a_teacher_of_another_size_sees_views_of_its_size_as_it_does_in_prediction(save_teacher, size, tolerance):
    file, images = save_teacher(0, size=size), smooth_views()
    teacher = TorchSegmenter(*load_model(file), CPU)
    to, back = (Frame.fit(a, a, b, ResizeRule.SQUASH) for a, b in ((64, size), (size, 64)))
    answers = teacher.forward(np.stack([to.shrink(view) for view in images.numpy()]))
    said = Teachers([file], 0.5, CPU).probability(images)[:, 0]
    difference = np.abs(said.numpy() - np.stack([_scaled(answer, back) for answer in answers]))
    assert said.shape == (3, 64, 64)
    assert difference.mean() < tolerance
    assert said.std() > 0.02


def _scaled(answer, frame):
    """A probability in another size; the finest steps of a picture are finer than those of bytes."""
    return frame.shrink(np.round(255 * answer)[..., None].repeat(3, -1).astype(np.uint8))[..., 0] / 255


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_their_answer_weighs_its_share(monkeypatch, precision):
    compute = Compute(torch.device("cpu"), precision)
    monkeypatch.setattr(Teachers, "probability", lambda *_: torch.tensor([0.2, 0.9]).view(1, 1, 1, 2))
    truth = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    for share, expected in ((0.25, [0.8, 0.225]), (0.5, [0.6, 0.45]), (1.0, [0.2, 0.9])):
        mixed = Teachers([], share, compute).target(truth, torch.zeros(1, 1, 2, 3))
        assert mixed.flatten().tolist() == pytest.approx(expected)


def test_they_learn_nothing_and_draw_nothing(save_teacher, monkeypatch):
    build = learning.load_model

    def load_with_dropout(path):
        spec, net = build(path)
        net.head.register_forward_pre_hook(
            lambda module, inputs: (nn.functional.dropout(inputs[0], 0.5, module.training),)
        )
        return spec, net

    monkeypatch.setattr(learning, "load_model", load_with_dropout)
    teachers, images = Teachers([save_teacher(0)], 0.5, CPU), smooth_views()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (teachers.target(torch.ones(3, 1, 64, 64), images) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert not first.requires_grad
    logits = torch.zeros(3, 1, 64, 64, requires_grad=True)
    (logits * first).sum().backward()  # it may stand in a graph
    assert torch.equal(logits.grad, first)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_step_in_parts_asks_them_for_each_part_and_is_the_step_of_all(save_teacher, monkeypatch, at_once):
    file, asked, real = save_teacher(0), [], Teachers.probability
    monkeypatch.setattr(Teachers, "probability", lambda self, images: asked.append(len(images)) or real(self, images))

    def take(at_once):
        torch.manual_seed(0)
        net = nn.Conv2d(3, 1, 3, padding=1)
        options = TrainOptions(lr=0.1, teacher=(str(file),))
        step = TrainingStep(net, net, RunningMean(net, 0.5), SPEC, options, CPU, pretrained=False)
        images = smooth_views(4)
        return step(images, images[:, None, :, :, 0] > 127, 0, at_once), net.weight.detach()

    (whole, weights), (parts, others) = take(None), take(at_once)
    assert asked == [4, *{1: [1, 1, 1, 1], 2: [2, 2], 3: [3, 1]}[at_once]]
    assert torch.allclose(parts.loss, whole.loss, atol=1e-6)
    assert torch.allclose(others, weights, atol=1e-4)


def test_a_step_on_trial_asks_them_too(save_teacher, monkeypatch):
    asked, real = [], Teachers.probability
    monkeypatch.setattr(Teachers, "probability", lambda self, images: asked.append(len(images)) or real(self, images))
    Trial(TrainOptions(teacher=(str(save_teacher(0)),)), SPEC, CPU).step_on_noise(2)
    assert asked == [2]


def lesions(count, seed):
    """Dark discs on light skin, 32 px, and where they are: uint8 `[N, 32, 32, 3]`, bool `[N, 1, 32, 32]`."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    middle, radius = draw.uniform(10, 22, (count, 2, 1, 1)), draw.uniform(5, 9, (count, 1, 1))
    inside = np.hypot(y - middle[:, 0], x - middle[:, 1]) < radius
    pictures = np.where(inside[..., None], 70, 200) + draw.normal(0, 20, (count, 32, 32, 3))
    return torch.from_numpy(pictures.clip(0, 255).astype(np.uint8)), torch.from_numpy(inside[:, None])


def train_small(images, truth, seed=0, steps=40, **options):
    """A tiny network after so many steps on all of these pictures."""
    torch.manual_seed(seed)
    net = build_net(SPEC.net)
    options = TrainOptions(lr=0.02, **options)
    step = TrainingStep(net, net, RunningMean(net, 0.9), SPEC, options, CPU, pretrained=False)
    net.train()
    for number in range(steps):
        step(images, truth, number)
    return net.eval()


def distance(net, images, truth):
    """Mean distance of its probabilities from the truth."""
    said = TorchSegmenter(SPEC, net, CPU).forward(images.numpy())
    return float(np.abs(said - truth[:, 0].numpy()).mean())


def test_a_student_of_a_good_teacher_ends_nearer_to_the_clean_truth_than_careless_masks_let_it(tmp_path):
    images, clean = lesions(8, seed=0)
    careless = -nn.functional.max_pool2d(-clean.float(), 5, stride=1, padding=2) > 0  # drawn 2 px too small
    teacher = train_small(images, clean, seed=1)
    save_model(tmp_path / "teacher.safetensors", replace(SPEC, size=32), teacher.state_dict())
    files = (str(tmp_path / "teacher.safetensors"),)

    new, truth = lesions(8, seed=9)
    plain = distance(train_small(images, careless), new, truth)
    taught = distance(train_small(images, careless, teacher=files, teacher_share=0.75), new, truth)
    assert taught < 0.6 * plain  # 0.055 and 0.128 when this was written, of the teacher 0.056
