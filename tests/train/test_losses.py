"""Losses, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from lesionctl.train.losses import bce_dice_loss, dice_loss

ZERO, SURE, NEVER = 0.0, 100.0, -100.0  # logits of probability 1/2, 1 and 0


def pictures(*rows):
    """One picture of four pixels for each row: `[N, 1, 2, 2]`."""
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), 1, 2, 2)


@pytest.mark.parametrize(
    ("logits", "truth", "dice", "bce"),
    [
        # intersection 1, sizes 2 + 2: 1 - (2 * 1 + 1) / (4 + 1)
        ([ZERO] * 4, [1, 1, 0, 0], 0.4, math.log(2)),
        # intersection 2, sizes 2 + 4: 1 - 5 / 7
        ([ZERO] * 4, [1, 1, 1, 1], 2 / 7, math.log(2)),
        # an empty mask: intersection 0, sizes 2 + 0: 1 - 1 / 3
        ([ZERO] * 4, [0, 0, 0, 0], 2 / 3, math.log(2)),
        ([NEVER] * 4, [0, 0, 0, 0], 0.0, 0.0),
        ([SURE] * 4, [0, 0, 0, 0], 0.8, 100.0),  # 1 - 1 / 5
        ([SURE] * 4, [1, 1, 1, 1], 0.0, 0.0),
        ([NEVER] * 4, [1, 1, 1, 1], 0.8, 100.0),
        ([SURE, SURE, NEVER, NEVER], [1, 1, 0, 0], 0.0, 0.0),
        # one of two found, one too many: 1 - (2 + 1) / (4 + 1); two of four pixels cost 100
        ([SURE, NEVER, SURE, NEVER], [1, 1, 0, 0], 0.4, 50.0),
    ],
)
def test_loss_by_hand(logits, truth, dice, bce):
    logits, truth = pictures(logits), pictures(truth)
    assert dice_loss(logits, truth).item() == pytest.approx(dice, abs=1e-6)
    assert bce_dice_loss(logits, truth).item() == pytest.approx(dice + bce, abs=1e-5)


def test_dice_is_the_mean_over_pictures_and_not_of_all_pixels():
    logits, truth = pictures([ZERO] * 4, [NEVER] * 4), pictures([1, 1, 0, 0], [0, 0, 0, 0])
    assert dice_loss(logits, truth).item() == pytest.approx((0.4 + 0.0) / 2)


def test_smoothing_by_hand():
    logits, truth = pictures([ZERO] * 4), pictures([1, 1, 0, 0])
    assert dice_loss(logits, truth, smooth=0.0).item() == pytest.approx(0.5)  # 1 - 2 / 4
    assert dice_loss(logits, truth, smooth=2.0).item() == pytest.approx(1 / 3)  # 1 - 4 / 6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_loss_of_half_precision_is_computed_in_float32(dtype):
    logits, truth = pictures([1.0, -2.0, 0.5, 3.0]), pictures([1, 0, 0, 1])
    loss = bce_dice_loss(logits.to(dtype), truth)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, bce_dice_loss(logits, truth))


@pytest.mark.parametrize("truth", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1]])
@pytest.mark.parametrize("value", [0.0, 80.0, -80.0])
def test_gradients_are_finite_and_point_the_right_way(value, truth):
    logits = pictures([value] * 4).requires_grad_()
    bce_dice_loss(logits, pictures(truth)).backward()
    assert torch.isfinite(logits.grad).all()
    if value == 0:
        assert ((logits.grad < 0) == (pictures(truth) == 1)).all()
