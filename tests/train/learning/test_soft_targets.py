"""Losses of soft targets, which a teacher gives: by hand, and least where the prediction is the target."""

from __future__ import annotations

import math

import pytest
import torch

from lesionctl.errors import UsageError
from lesionctl.train.learning.losses import dice_loss, dice_semimetric_loss, make_loss
from lesionctl.train.options import Loss

ZERO, SURE, NEVER = 0.0, 100.0, -100.0  # logits of probability 1/2, 1 and 0


def pictures(*rows):
    """One picture of four pixels for each row: `[N, 1, 2, 2]`."""
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), 1, 2, 2)


def random_batch(side=12):
    """Logits, and masks of which the first is empty and the second full: float64 `[4, 1, H, W]`."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 1, side, side, generator=generator, dtype=torch.float64)
    truth = (torch.rand(4, 1, side, side, generator=generator) > 0.6).double()
    truth[0], truth[1] = 0, 1
    return logits, truth


@pytest.mark.parametrize(
    ("logits", "target", "expected"),
    [
        ([ZERO] * 4, [0.5] * 4, 0.0),  # where p is the target, there is nothing to gain
        ([ZERO] * 4, [1, 1, 0, 0], 0.4),  # a target of 0 and 1: Dice, as above
        ([ZERO] * 4, [0.75, 0.75, 0.25, 0.25], 0.2),  # apart by 4 / 4, of 2 + 2 + 1
        ([SURE] * 4, [0.6] * 4, 1.6 / 7.4),  # apart by 1.6, of 4 + 2.4 + 1; the plain Dice would be least here
        ([NEVER] * 4, [0.25, 0, 0, 0], 0.2),  # apart by 1/4, of 1/4 + 1
        ([math.log(3)] * 4, [0.5, 0.5, 1, 1], 1 / 7),  # p = 3/4: apart by 1, of 3 + 3 + 1
    ],
)
def test_dice_of_a_soft_target_by_hand(logits, target, expected):
    assert dice_semimetric_loss(pictures(logits), pictures(target)).item() == pytest.approx(expected, abs=1e-6)


def test_dice_of_a_soft_target_is_dice_where_it_is_hard():
    logits, truth = random_batch()
    for smooth in (0.5, 1.0):
        soft = dice_semimetric_loss(logits, truth, smooth=smooth)
        torch.testing.assert_close(soft, dice_loss(logits, truth, smooth=smooth), rtol=1e-12, atol=0)


def soft_targets(count=4, side=12):
    """Surely inside, surely outside, and what lies between: float64 `[N, 1, H, W]`."""
    generator = torch.Generator().manual_seed(2)
    return torch.rand(count, 1, side, side, generator=generator, dtype=torch.float64).clamp(0.05, 0.95)


def with_cross_entropy(logits, target):
    return make_loss(Loss.BCE_DICE, taught=True)(logits, target > 0.5, target=target)


@pytest.mark.parametrize("loss_of", [dice_semimetric_loss, with_cross_entropy])
def test_with_a_soft_target_the_loss_is_least_at_the_target_and_nowhere_else(loss_of):
    target, generator = soft_targets(), torch.Generator().manual_seed(3)
    at_target = target.logit()
    least = loss_of(at_target, target)
    for scale in (1e-3, 0.1, 1.0, 10.0):
        for _ in range(20):
            away = scale * torch.randn(target.shape, generator=generator, dtype=torch.float64)
            assert loss_of(at_target + away, target) > least
    for pixel in range(0, 144, 16):  # each pixel by itself, in either direction
        for way in (-0.01, 0.01):
            moved = at_target.clone()
            moved[0, 0, pixel // 12, pixel % 12] += way
            assert loss_of(moved, target) > least


def test_the_plain_dice_of_a_soft_target_would_be_least_elsewhere():
    """Why there is another: of a target of 0.6 everywhere it makes a probability of 1."""
    target, tried = torch.full((1, 1, 8, 8), 0.6, dtype=torch.float64), torch.linspace(0.02, 0.999, 50)
    losses = [[of(torch.full_like(target, p).logit(), target).item() for p in tried.tolist()]
              for of in (dice_loss, dice_semimetric_loss)]  # fmt: skip
    least = [tried[values.index(min(values))].item() for values in losses]
    assert least == pytest.approx([0.999, 0.6], abs=0.02)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # p = 3/4 and a target of 0.6: apart by 4 * 0.15, of 3 + 2.4 + 1
        (Loss.BCE_DICE, 0.6 * math.log(4 / 3) + 0.4 * math.log(4) + 0.6 / 6.4),
        (Loss.BOUNDARY_BCE, 0.6 * math.log(4 / 3) + 0.4 * math.log(4)),
        # 0.6 of what a lesion pixel costs and 0.4 of what another would
        (Loss.FOCAL, 0.6 * math.log(4 / 3) / 64 + 0.4 * 27 * math.log(4) / 64),
    ],
)
def test_loss_of_a_target_by_hand(loss, expected):
    logits, truth, target = pictures([math.log(3)] * 4), pictures([1, 1, 1, 1]), pictures([0.6] * 4)
    assert make_loss(loss, taught=True)(logits, truth, target=target).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [Loss.BOUNDARY_BCE, Loss.FOCAL])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_of_a_mixture_is_the_mixture_of_the_losses(loss, smoothing):
    logits, truth = random_batch()
    teacher, loss_of = soft_targets(), make_loss(loss, smoothing, taught=True)
    mixed = loss_of(logits, truth, target=torch.lerp(truth, teacher, 0.3))
    parts = 0.7 * loss_of(logits, truth) + 0.3 * loss_of(logits, truth, target=teacher)
    torch.testing.assert_close(mixed, parts)


def test_smoothing_moves_a_target_of_the_cross_entropy_and_not_that_of_the_dice():
    # 0.6 becomes 0.8 * 0.6 + 0.1 = 0.58; apart by 4 * 0.15, of 3 + 2.4 + 1
    value = make_loss(Loss.BCE_DICE, 0.2, taught=True)(
        pictures([math.log(3)] * 4), pictures([1, 1, 1, 1]), target=pictures([0.6] * 4)
    )
    assert value.item() == pytest.approx(0.58 * math.log(4 / 3) + 0.42 * math.log(4) + 0.6 / 6.4)


@pytest.mark.parametrize("loss", [Loss.TVERSKY, Loss.FOCAL_TVERSKY, Loss.LOVASZ])
def test_a_teacher_of_regions_is_refused(loss):
    with pytest.raises(UsageError, match=f"--teacher has no meaning for --loss {loss}") as caught:
        make_loss(loss, taught=True)
    assert "bce-dice" in caught.value.hint


@pytest.mark.parametrize("loss", [Loss.BCE_DICE, Loss.FOCAL, Loss.BOUNDARY_BCE])
def test_with_a_target_too_the_gradient_is_that_of_the_value_and_finite(loss):
    (logits, truth), target = random_batch(side=5), soft_targets(side=5)
    loss_of = make_loss(loss, taught=True)
    assert torch.autograd.gradcheck(lambda x: loss_of(x, truth, target=target), logits.requires_grad_())
    for value in (0.0, 80.0, -80.0, 60_000.0):
        extreme = torch.full((4, 1, 5, 5), value, dtype=torch.float16).requires_grad_()
        loss_of(extreme, truth.float(), target=target.float()).backward()
        assert torch.isfinite(extreme.grad).all()
