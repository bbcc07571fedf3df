"""How sure a model is of a mask, in one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Mask, Probability

_NEVER_CERTAIN = np.float32(1e-6)  # and never impossible, where a logarithm is taken


def confidence(probability: Probability, mask: Mask) -> float:
    """The lesion's area as a share of itself and of what is undecided, at any scale.

    What is undecided is the binary entropy of the probabilities in bits, summed over the pixels: one where lesion and
    skin are as likely as each other, none where one is certain. Nearly all of it lies along the outline; relative to
    the lesion, as the Jaccard index is, it tells failures better than its mean in any band along the outline.

    Args:
        probability: float32 `[h, w]` in [0, 1].
        mask: bool `[h, w]`, what was made of it.

    Returns:
        In [0, 1]; 0 where nothing was found.
    """
    lesion = int(np.count_nonzero(mask))
    if not lesion:
        return 0.0
    yes = np.clip(probability, _NEVER_CERTAIN, 1 - _NEVER_CERTAIN)
    no = 1 - yes
    undecided = -float(np.vdot(yes, np.log2(yes)) + np.vdot(no, np.log2(no)))
    return lesion / (lesion + undecided)
