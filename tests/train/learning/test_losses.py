"""Losses, worked out by hand, and against slow ones written from their papers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention

from lesionctl.errors import UsageError
from lesionctl.train.learning.losses import (
    bce_dice_loss,
    boundary_bce_loss,
    dice_loss,
    focal_loss,
    focal_tversky_loss,
    lovasz_hinge_loss,
    make_loss,
    tversky_loss,
)
from lesionctl.train.options import Loss

ZERO, SURE, NEVER = 0.0, 100.0, -100.0  # logits of probability 1/2, 1 and 0


def pictures(*rows):
    """One picture of four pixels for each row: `[N, 1, 2, 2]`."""
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), 1, 2, 2)


def random_batch(count=4, side=12, dtype=torch.float32):
    """Logits, and masks of which the first is empty and the second full."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, 1, side, side, generator=generator, dtype=torch.float64)
    truth = (torch.rand(count, 1, side, side, generator=generator) > 0.6).to(dtype)
    truth[0], truth[1] = 0, 1
    return logits.to(dtype), truth


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


def test_default_is_cross_entropy_plus_dice_to_the_bit():
    logits, truth = random_batch()
    p, areas = logits.sigmoid(), (1, 2, 3)
    index = (2 * (p * truth).sum(dim=areas) + 1) / (p.sum(dim=areas) + truth.sum(dim=areas) + 1)
    expected = F.binary_cross_entropy_with_logits(logits, truth) + (1 - index.mean())
    assert torch.equal(make_loss(Loss.BCE_DICE)(logits, truth), expected)


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        # each lesion pixel 1/4 * (1/2)^2 * ln 2, each other 3/4 * (1/2)^2 * ln 2
        ([ZERO] * 4, [1, 1, 1, 1], math.log(2) / 16),
        ([ZERO] * 4, [0, 0, 0, 0], 3 * math.log(2) / 16),
        ([ZERO] * 4, [1, 0, 0, 0], (1 + 3 * 3) / 4 * math.log(2) / 16),
        # p = 3/4: 1/4 * (1/4)^2 * ln(4/3) inside, 3/4 * (3/4)^2 * ln 4 outside
        ([math.log(3)] * 4, [1, 1, 0, 0], (math.log(4 / 3) / 64 + 27 * math.log(4) / 64) / 2),
        ([SURE] * 4, [1, 1, 1, 1], 0.0),
        ([NEVER] * 4, [0, 0, 0, 0], 0.0),
        ([SURE] * 4, [0, 0, 0, 0], 75.0),  # 3/4 * 1 * 100
        ([NEVER] * 4, [1, 1, 1, 1], 25.0),
    ],
)
def test_focal_by_hand(logits, truth, expected):
    assert focal_loss(pictures(logits), pictures(truth)).item() == pytest.approx(expected, abs=1e-6)


def test_focal_without_focus_is_half_the_cross_entropy():
    logits, truth = random_batch()
    expected = F.binary_cross_entropy_with_logits(logits, truth) / 2
    torch.testing.assert_close(focal_loss(logits, truth, alpha=0.5, gamma=0.0), expected)


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        # TP 1, FP 1, FN 1: wrong 0.3 + 0.7, of 1 + 1 + 1/2
        ([ZERO] * 4, [1, 1, 0, 0], 1 / 2.5),
        # one of two missed: TP 1, FN 1: 0.7 / (1 + 0.7 + 0.5)
        ([SURE, NEVER, NEVER, NEVER], [1, 1, 0, 0], 0.7 / 2.2),
        # one too many: TP 1, FP 1: 0.3 / (1 + 0.3 + 0.5), so what is missed costs more
        ([SURE, SURE, NEVER, NEVER], [1, 0, 0, 0], 0.3 / 1.8),
        # empty: FP 2: 0.6 / (0.6 + 0.5); FP 4: 1.2 / 1.7
        ([ZERO] * 4, [0, 0, 0, 0], 0.6 / 1.1),
        ([SURE] * 4, [0, 0, 0, 0], 1.2 / 1.7),
        ([NEVER] * 4, [0, 0, 0, 0], 0.0),
        # full: TP 2, FN 2: 1.4 / (2 + 1.4 + 0.5)
        ([ZERO] * 4, [1, 1, 1, 1], 1.4 / 3.9),
        ([SURE] * 4, [1, 1, 1, 1], 0.0),
        ([NEVER] * 4, [1, 1, 1, 1], 2.8 / 3.3),
    ],
)
def test_tversky_and_its_focal_form_by_hand(logits, truth, expected):
    logits, truth = pictures(logits), pictures(truth)
    assert tversky_loss(logits, truth).item() == pytest.approx(expected, abs=1e-6)
    assert focal_tversky_loss(logits, truth).item() == pytest.approx(expected**0.75, abs=1e-6)


def test_focal_tversky_takes_the_root_of_each_picture_and_not_of_the_mean():
    logits, truth = pictures([ZERO] * 4, [SURE] * 4), pictures([1, 1, 0, 0], [0, 0, 0, 0])
    expected = (0.4**0.75 + (1.2 / 1.7) ** 0.75) / 2
    assert focal_tversky_loss(logits, truth).item() == pytest.approx(expected)


@pytest.mark.parametrize("smooth", [0.0, 0.5])
def test_tversky_of_equal_weights_is_dice(smooth):
    logits, truth = random_batch()
    ours = tversky_loss(logits[1:], truth[1:], alpha=0.5, beta=0.5, smooth=smooth)
    torch.testing.assert_close(ours, dice_loss(logits[1:], truth[1:], smooth=2 * smooth))


@pytest.mark.parametrize(
    ("logits", "truth", "expected"),
    [
        # Margins 1 - 2 = -1, 1 + 1 = 2, 1 - 0.5 = 0.5, 1 - 3 = -2. Worst is the second, a missed pixel of two: the
        # distance becomes 1/2; then the third, one too many: 2/3. So 2 * 1/2 + 0.5 * (2/3 - 1/2).
        ([2.0, -1.0, -0.5, -3.0], [1, 1, 0, 0], 1 + 0.5 / 6),
        # Margins -1, -1, 3, 1.5: one too many, 1/3; another, 1/2. So 3 * 1/3 + 1.5 * (1/2 - 1/3).
        ([2.0, 2.0, 2.0, 0.5], [1, 1, 0, 0], 1.25),
        # An empty mask: the first false pixel makes the distance 1, and its margin is 1 + 2.
        ([2.0, -4.0, 1.0, 0.0], [0, 0, 0, 0], 3.0),
        ([-1.0] * 4, [0, 0, 0, 0], 0.0),
        # A full one: each missed pixel adds a quarter: (3 + 2 + 1 + 0) / 4
        ([-2.0, -1.0, 0.0, 1.0], [1, 1, 1, 1], 1.5),
        ([SURE, SURE, NEVER, NEVER], [1, 1, 0, 0], 0.0),
    ],
)
def test_lovasz_by_hand(logits, truth, expected):
    assert lovasz_hinge_loss(pictures(logits), pictures(truth)).item() == pytest.approx(expected)


def lovasz_of_one(logits, truth):
    """The paper's definition: Jaccard distances of ever larger sets of wrong pixels, counted anew each time."""
    margins = [1 - x * (2 * t - 1) for x, t in zip(logits, truth, strict=True)]
    lesion = {i for i, t in enumerate(truth) if t}
    total, before, wrong = 0.0, 0.0, set()
    for i in sorted(range(len(margins)), key=lambda i: -margins[i]):
        wrong.add(i)
        distance = 1 - len(lesion - wrong) / len(lesion | wrong)
        total += max(margins[i], 0) * (distance - before)
        before = distance
    return total


def test_lovasz_is_the_mean_of_slow_sums_over_sorted_pixels():
    logits, truth = random_batch(dtype=torch.float64)
    slow = [lovasz_of_one(x.flatten().tolist(), t.flatten().tolist()) for x, t in zip(logits, truth, strict=True)]
    assert lovasz_hinge_loss(logits, truth).item() == pytest.approx(sum(slow) / len(slow), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_lovasz_of_hard_decisions_is_twice_the_jaccard_distance(seed):
    generator = torch.Generator().manual_seed(seed)
    ours, truth = (torch.rand(2, 1, 1, 16, 16, generator=generator) > 0.5).float()
    distance = 1 - (ours * truth).sum() / (ours + truth).clamp(max=1).sum()
    # logits of +-1: the margin is 0 where they are right and 2 where they are wrong
    assert lovasz_hinge_loss(2 * ours - 1, truth).item() == pytest.approx(2 * distance.item(), rel=1e-6)


def test_lovasz_of_a_large_picture_loses_no_pixel():
    truth = torch.zeros(1, 1, 512, 512)
    truth[..., :300, :400] = 1
    # the distance is 1 once all are wrong, and each has a margin of 1
    assert lovasz_hinge_loss(torch.zeros_like(truth), truth).item() == pytest.approx(1.0, abs=1e-5)


def test_boundary_loss_weighs_the_cross_entropy_by_hand():
    # In a row of ten the pixels 4 and 5 touch the outline: distances 4 3 2 1 0 0 1 2 3 4.
    truth = torch.tensor([0.0] * 5 + [1.0] * 5).view(1, 1, 1, 10)
    raw = [1 + 10 * math.exp(-d * d / 50) for d in (4, 3, 2, 1, 0, 0, 1, 2, 3, 4)]
    logits = torch.zeros(1, 1, 1, 10)
    logits[..., 4] = 2.0
    costs = [math.log(2)] * 10
    costs[4] = math.log1p(math.exp(2))
    expected = sum(w * c for w, c in zip(raw, costs, strict=True)) / sum(raw)
    assert boundary_bce_loss(logits, truth).item() == pytest.approx(expected)


@pytest.mark.parametrize("value", [0, 1])
def test_boundary_loss_without_an_outline_is_cross_entropy(value):
    logits, truth = random_batch()[0], torch.full((4, 1, 12, 12), float(value))
    torch.testing.assert_close(boundary_bce_loss(logits, truth), F.binary_cross_entropy_with_logits(logits, truth))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # s = 0.2 moves 1 to 0.9: -0.9 log p - 0.1 log(1 - p), at p = 3/4; Dice of the truth as it is: 1 - 7 / 8
        (Loss.BCE_DICE, 0.9 * math.log(4 / 3) + 0.1 * math.log(4) + 1 / 8),
        (Loss.BOUNDARY_BCE, 0.9 * math.log(4 / 3) + 0.1 * math.log(4)),
        # 0.9 of what a lesion pixel costs and 0.1 of what another would
        (Loss.FOCAL, 0.9 * math.log(4 / 3) / 64 + 0.1 * 27 * math.log(4) / 64),
    ],
)
def test_label_smoothing_by_hand(loss, expected):
    value = make_loss(loss, 0.2)(pictures([math.log(3)] * 4), pictures([1, 1, 1, 1]))
    assert value.item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [Loss.TVERSKY, Loss.FOCAL_TVERSKY, Loss.LOVASZ])
def test_label_smoothing_of_regions_is_refused(loss):
    with pytest.raises(UsageError, match=f"--label-smoothing 0.1 has no meaning for --loss {loss}"):
        make_loss(loss, 0.1)


@pytest.mark.parametrize("loss", Loss)
def test_mean_over_equal_parts_is_the_loss_of_the_whole(loss):
    loss_of = make_loss(loss)
    logits, truth = random_batch(count=6)
    parts = [loss_of(x, t) for x, t in zip(logits.split(2), truth.split(2), strict=True)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss_of(logits, truth))


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_loss_of_half_precision_is_computed_in_float32(loss, dtype):
    loss_of = make_loss(loss)
    logits, truth = random_batch()
    half = logits.to(dtype).requires_grad_()
    value = loss_of(half, truth)
    value.backward()
    assert value.dtype == torch.float32
    assert half.grad.dtype == dtype
    assert torch.equal(value, loss_of(half.detach().float(), truth))


@pytest.mark.parametrize("loss", Loss)
def test_autocast_changes_nothing(loss):
    loss_of = make_loss(loss)
    logits, truth = random_batch()
    with torch.autocast("cpu", torch.bfloat16):
        within = loss_of(logits, truth)
    assert torch.equal(within, loss_of(logits, truth))


def test_largest_logits_of_float16_do_not_overflow():
    logits, truth = random_batch()
    extreme = (logits.sign() * 60_000).half()
    assert all(torch.isfinite(make_loss(loss)(extreme, truth)) for loss in Loss)


@pytest.mark.parametrize("loss", Loss)
def test_gradient_is_that_of_the_value(loss):
    logits, truth = random_batch(side=5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: make_loss(loss)(x, truth), logits.requires_grad_())


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("truth", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1]])
@pytest.mark.parametrize("value", [0.0, 80.0, -80.0])
def test_gradients_are_finite_and_point_the_right_way(loss, value, truth):
    logits = pictures([value] * 4).requires_grad_()
    truth = pictures(truth)
    make_loss(loss)(logits, truth).backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad * (2 * truth - 1) <= 0).all()
    if value == 0:
        assert logits.grad.any()


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("truth", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1]])
def test_what_is_surely_right_costs_nothing(loss, truth):
    logits = (SURE * (2 * pictures(truth) - 1)).requires_grad_()
    value = make_loss(loss)(logits, pictures(truth))
    value.backward()
    assert value.item() == pytest.approx(0, abs=2e-9)
    assert logits.grad.abs().max() < 1e-9
