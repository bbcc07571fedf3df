"""Models that a network learns from besides the truth: what they see in the same views (Hinton 2015, arXiv:1503.02531).

Their probabilities move the truth where it is doubtful (a hair, a faded border, a careless outline) by as much as they
are sure of something else; a noisy mask then costs a student less that sees better.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention

from lesionctl.nets.model_file import load_model
from lesionctl.runtime.torch_segmenter import TorchSegmenter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lesionctl.runtime.device import Compute


class Teachers:
    """Trained models that answer together: the mean of their probabilities.

    They are in evaluation mode, eager whatever is compiled beside them, and draw no random numbers.

    Args:
        files: Their model files; at least one.
        share: What they weigh against the truth, in (0, 1].
        compute: Where the student is trained; each process has its own.

    Raises:
        BadFile: One of the files cannot be used.
    """

    def __init__(self, files: Sequence[str], share: float, compute: Compute) -> None:
        self._members = [TorchSegmenter(*load_model(Path(file)), compute) for file in files]
        self._share = share

    def target(self, truth: Tensor, images: Tensor) -> Tensor:
        """Mix the truth with what they see.

        Args:
            truth: float `[N, 1, S, S]`, 0 or 1.
            images: uint8 `[N, S, S, 3]`, the views that the student sees, on the device.

        Returns:
            float32 `[N, 1, S, S]`, in [0, 1]: `(1 - share) * truth + share * probability`.
        """
        return torch.lerp(truth, self.probability(images), self._share)

    @torch.no_grad()
    def probability(self, images: Tensor) -> Tensor:
        """What they see, each at the size that it was trained at.

        Args:
            images: uint8 `[N, S, S, 3]`, on the device.

        Returns:
            float32 `[N, 1, S, S]`, in [0, 1].
        """
        answers = [_ask(member, images) for member in self._members]
        return torch.stack(answers).mean(dim=0) if len(answers) > 1 else answers[0]


def _ask(teacher: TorchSegmenter, images: Tensor) -> Tensor:
    """One teacher's probability, `[N, 1, S, S]`, of views, `[N, S, S, 3]`."""
    side, own = images.shape[1], teacher.spec.size
    if own == side:
        return teacher.infer(images)[:, None]
    views = _resize(images.permute(0, 3, 1, 2).float(), own).permute(0, 2, 3, 1)
    return _resize(teacher.infer(views)[:, None], side)


def _resize(pixels: Tensor, side: int) -> Tensor:
    """Bilinear, over the covered area where it shrinks: `[N, C, S, S]` to `[N, C, side, side]`, in the same range."""
    return F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
