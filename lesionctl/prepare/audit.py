"""One pair under the eye: can it be used, and what is in it?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionctl.dataset.samples import Sample, Split
from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode_bytes, read_file
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import decode_mask
from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from lesionctl.dataset.pairs import Pair
    from lesionctl.imaging.arrays import Image, Mask


@dataclass(frozen=True)
class AuditedPair:
    """A pair that can be used.

    Attributes:
        sample: What is known of it, in a group of its own and not yet assigned to a split.
        image: uint8 `[size, size, 3]`.
        mask: bool `[size, size]`.
    """

    sample: Sample
    image: Image
    mask: Mask


def audit_pair(source: str, pair: Pair, size: int, resize: ResizeRule) -> AuditedPair | Failure:
    """Read a pair, check it, and bring it to the store's geometry.

    Args:
        source: Name of the source that it is from.
        pair: What to read.
        size: Side of the square, in pixels.
        resize: How the picture becomes a square.

    Returns:
        The pair, or why it is left out: a file that cannot be read, a mask that is not binary or not of its picture's
        size.
    """
    try:
        image_content, mask_content = read_file(pair.image), read_file(pair.mask)
        decoded = decode_bytes(image_content, pair.image, at_least=size)
        mask = decode_mask(mask_content, pair.mask, strict=True)
    except BadFile as error:
        return Failure(error.path, error.reason)
    if mask.shape != (decoded.height, decoded.width):
        height, width = mask.shape
        return Failure(
            pair.mask,
            f"the mask is {width}×{height} pixels, its picture {decoded.width}×{decoded.height}",
        )
    frame = Frame.fit(decoded.height, decoded.width, size, resize)
    sample = Sample(
        id=pair.id,
        source=source,
        group=f"id={pair.id}",
        split=Split.TRAIN,
        image=pair.image.resolve(),
        mask=pair.mask.resolve(),
        height=decoded.height,
        width=decoded.width,
        lesion_fraction=round(float(mask.mean()), 6),
        sha256=hashlib.sha256(image_content).hexdigest(),
        mask_sha256=hashlib.sha256(mask_content).hexdigest(),
    )
    return AuditedPair(sample, frame.shrink(decoded.image), frame.shrink_mask(mask))
