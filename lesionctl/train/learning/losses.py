"""What training makes small.

Every loss takes logits and the truth, `[N, 1, H, W]`, computes in float32 whatever the logits' format and inside
autocast too (float64 stays float64), and returns a mean over the pictures: the mean over equal parts of a batch is the
loss of the batch. Value and gradient are finite for every finite logit, on empty and full masks too. At the defaults,
a picture that is predicted surely and rightly costs nothing: 1e-9 at most.

Where a teacher helps, the losses that ask a question of each pixel take a `target` besides: what to aim at, in [0, 1],
`[N, 1, H, W]`, the truth and the teacher's probability mixed. Cross-entropy is linear in its target, so that this is
the mixture of the losses of both (Hinton et al. 2015, arXiv:1503.02531, at temperature 1).
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from lesionctl.errors import UsageError
from lesionctl.train.learning.boundary import boundary_weights
from lesionctl.train.options import Loss

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")


def make_loss(loss: Loss, smoothing: float = 0.0, *, taught: bool = False) -> Callable[..., Tensor]:
    """The function that training makes small.

    Args:
        loss: Which; its parameters are those of its paper.
        smoothing: Moves the truth from 0 and 1 to s/2 and 1 - s/2, in [0, 1), where each pixel is a question of its
            own: in cross-entropy (the Dice beside it keeps the truth as it is) and in the focal loss. A target is
            moved alike.
        taught: Whether it will get a `target` by that name.

    Returns:
        A function from logits, floats of any format `[N, 1, H, W]`, and the truth, `[N, 1, H, W]`, 0 or 1, to a
        float32 scalar.

    Raises:
        UsageError: Smoothing or a target is asked of a loss that compares regions: a ratio of areas is least where each
            pixel is surely in or out, even of softened truth, and the Lovász hinge is defined for 0 and 1 alone.
    """
    by_region: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
        Loss.TVERSKY: tversky_loss,
        Loss.FOCAL_TVERSKY: focal_tversky_loss,
        Loss.LOVASZ: lovasz_hinge_loss,
    }
    if loss in by_region:
        if smoothing or taught:
            raise UsageError(
                f"{'--teacher' if taught else f'--label-smoothing {smoothing}'} has no meaning for --loss {loss}, "
                "which compares regions, not pixels",
                hint=f"leave it out, or use --loss {Loss.BCE_DICE}, {Loss.FOCAL} or {Loss.BOUNDARY_BCE}",
            )
        return by_region[loss]
    by_pixel: dict[Loss, Callable[..., Tensor]] = {
        Loss.BCE_DICE: bce_dice_loss,
        Loss.FOCAL: focal_loss,
        Loss.BOUNDARY_BCE: boundary_bce_loss,
    }
    return partial(by_pixel[loss], smoothing=smoothing)


def _in_float32(
    loss: Callable[Concatenate[Tensor, Tensor, _P], Tensor],
) -> Callable[Concatenate[Tensor, Tensor, _P], Tensor]:
    """Compute a loss in float32 (float64 stays), whatever its logits come in and whatever autocast surrounds it."""

    @wraps(loss)
    def compute(logits: Tensor, truth: Tensor, /, *args: _P.args, **kwargs: _P.kwargs) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):
            full = logits if logits.dtype == torch.float64 else logits.float()
            return loss(full, truth.to(full.dtype), *args, **kwargs)

    return compute


@_in_float32
def dice_loss(logits: Tensor, truth: Tensor, smooth: float = 1.0) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016, arXiv:1606.04797, without squares).

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        smooth: Pixels added to intersection and size, so that an empty mask that is predicted empty costs nothing.

    Returns:
        float32 scalar in [0, 1].
    """
    probability = logits.sigmoid()
    intersection = (probability * truth).sum(dim=(1, 2, 3))
    total = probability.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))
    return 1 - ((2 * intersection + smooth) / (total + smooth)).mean()


@_in_float32
def dice_semimetric_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """Dice loss of soft targets: `|p - t| / (|p| + |t|)` (Wang et al. 2023, arXiv:2303.16296, the first of its two).

    The soft Dice loss is least where each pixel is surely in or out, whatever its target: of a target of 0.6 it makes
    a probability of 1. Here the intersection is `(|p| + |t| - |p - t|) / 2`: the same where t is 0 or 1, and the loss
    is 0 where p is t, and nowhere else.

    Args:
        logits: float `[N, 1, H, W]`.
        target: `[N, 1, H, W]`, in [0, 1].
        smooth: See `dice_loss`.

    Returns:
        float32 scalar in [0, 1].
    """
    probability = logits.sigmoid()
    apart = (probability - target).abs().sum(dim=(1, 2, 3))
    total = probability.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3))
    return (apart / (total + smooth)).mean()


@_in_float32
def bce_dice_loss(logits: Tensor, truth: Tensor, smoothing: float = 0.0, target: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, which gives every pixel a gradient, plus Dice, which is close to what is scored.

    Both aim at the target where there is one. A mixture of two Dice losses, one for the truth and one for the teacher,
    would be least at the one that weighs more, as a weighted median is: the other would not count.

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        smoothing: See `make_loss`; of the cross-entropy alone.
        target: What to aim at in place of the truth, `[N, 1, H, W]`, in [0, 1].

    Returns:
        float32 scalar.
    """
    if target is None:
        return F.binary_cross_entropy_with_logits(logits, _soften(truth, smoothing)) + dice_loss(logits, truth)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, _soften(target, smoothing))
    return cross_entropy + dice_semimetric_loss(logits, target)


@_in_float32
def focal_loss(
    logits: Tensor,
    truth: Tensor,
    alpha: float = 0.25,
    gamma: float = 2.0,
    smoothing: float = 0.0,
    target: Tensor | None = None,
) -> Tensor:
    """Cross-entropy that hardly counts what is well decided (Lin et al. 2017, arXiv:1708.02002).

    A pixel of the lesion costs `-alpha (1 - p)^gamma log p`, another one `-(1 - alpha) p^gamma log(1 - p)`. The mean is
    over pixels; the paper, whose objects are few, divides by their number.

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        alpha: Weight of the lesion's pixels; the others weigh `1 - alpha`.
        gamma: How much less a well decided pixel counts, at least 1; 0 would be cross-entropy.
        smoothing: See `make_loss`; a pixel then costs the mixture of both terms.
        target: What to aim at in place of the truth, `[N, 1, H, W]`, in [0, 1]; likewise.

    Returns:
        float32 scalar.
    """
    aim = _soften(truth if target is None else target, smoothing)
    inside = alpha * aim * logits.neg().sigmoid().pow(gamma) * F.softplus(-logits)
    outside = (1 - alpha) * (1 - aim) * logits.sigmoid().pow(gamma) * F.softplus(logits)
    return (inside + outside).mean()


@_in_float32
def tversky_loss(logits: Tensor, truth: Tensor, alpha: float = 0.3, beta: float = 0.7, smooth: float = 0.5) -> Tensor:
    """One minus the soft Tversky index (Salehi et al. 2017, arXiv:1706.05721).

    The index is `TP / (TP + alpha FP + beta FN)`: with beta above alpha, what is missed costs more than what is too
    much. With both at one half it is Dice.

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        alpha: Weight of false positives.
        beta: Weight of false negatives.
        smooth: Pixels added above and below the line, so that an empty mask that is predicted empty costs nothing; one
            half is what Dice's default comes to.

    Returns:
        float32 scalar in [0, 1].
    """
    return _tversky_distances(logits, truth, alpha, beta, smooth).mean()


@_in_float32
def focal_tversky_loss(
    logits: Tensor, truth: Tensor, alpha: float = 0.3, beta: float = 0.7, gamma: float = 4 / 3, smooth: float = 0.5
) -> Tensor:
    """The Tversky loss of each picture to the power `1 / gamma` (Abraham & Khan 2018, arXiv:1810.07842).

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        alpha: Weight of false positives; that paper calls it beta.
        beta: Weight of false negatives; that paper calls it alpha.
        gamma: Above 1 the gradient grows as a picture gets better, so that training does not stop at good enough.
        smooth: See `tversky_loss`.

    Returns:
        float32 scalar in [0, 1].
    """
    distances = _tversky_distances(logits, truth, alpha, beta, smooth)
    return distances.clamp(min=1e-12).pow(1 / gamma).mean()  # a root has no gradient at 0


@_in_float32
def lovasz_hinge_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Lovász hinge: a convex bound on the Jaccard distance of each picture (Berman et al. 2018, arXiv:1705.08790).

    An empty mask costs the hinge of its worst pixel, as its Jaccard distance is 1 from the first false pixel on.

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.

    Returns:
        float32 scalar, at least 0.
    """
    truth = truth.flatten(1)  # [N, P]
    margins = 1 - logits.flatten(1) * (2 * truth - 1)
    with torch.no_grad():  # the weights are constant between two orders of the pixels
        order = margins.argsort(dim=1, descending=True)
        inside = truth.gather(1, order)
        found = inside.cumsum(1, dtype=torch.int32)  # integers: exact, and reproducible on a GPU
        size = found[:, -1:]
        ranks = torch.arange(1, truth.shape[1] + 1, dtype=torch.int32, device=truth.device)
        union = (size + ranks - found).to(truth.dtype)  # of truth and prediction, with all pixels up to here wrong
        # What one more wrong pixel adds to the distance; the difference of two such distances would lose digits.
        steps = torch.where(inside > 0, 1 / union, (size - found) / (union * (union - 1).clamp(min=1)))
        steps[:, :1] += size == 0
        weights = torch.empty_like(steps).scatter_(1, order, steps)
    return (margins.relu() * weights).sum(dim=1).mean()


@_in_float32
def boundary_bce_loss(
    logits: Tensor,
    truth: Tensor,
    weight: float = 10.0,
    sigma: float = 5.0,
    smoothing: float = 0.0,
    target: Tensor | None = None,
) -> Tensor:
    """Cross-entropy that counts most along the outline, as in the U-Net paper (Ronneberger 2015, arXiv:1505.04597).

    Args:
        logits: float `[N, 1, H, W]`.
        truth: `[N, 1, H, W]`, 0 or 1.
        weight: See `boundary_weights`.
        sigma: See `boundary_weights`.
        smoothing: See `make_loss`.
        target: What to aim at in place of the truth, `[N, 1, H, W]`, in [0, 1]; the outline is the truth's.

    Returns:
        float32 scalar.
    """
    weights, aim = boundary_weights(truth, weight, sigma), _soften(truth if target is None else target, smoothing)
    return F.binary_cross_entropy_with_logits(logits, aim, weight=weights)


def _soften(truth: Tensor, smoothing: float) -> Tensor:
    return truth * (1 - smoothing) + smoothing / 2 if smoothing else truth


def _tversky_distances(logits: Tensor, truth: Tensor, alpha: float, beta: float, smooth: float) -> Tensor:
    """One minus the Tversky index of each picture, `[N]`, without differences, which would lose digits near 0."""
    probability = logits.sigmoid()
    true = (probability * truth).sum(dim=(1, 2, 3))
    extra = (probability * (1 - truth)).sum(dim=(1, 2, 3))
    missed = ((1 - probability) * truth).sum(dim=(1, 2, 3))
    wrong = alpha * extra + beta * missed
    return wrong / (true + wrong + smooth)
