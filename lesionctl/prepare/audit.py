"""One pair under the eye: can it be used, and what is in it?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.dataset.native_masks import pack
from lesionctl.errors import BadFile
from lesionctl.imaging.appearance import Appearance, describe_colours
from lesionctl.imaging.decode import decode_bytes
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import decode_mask
from lesionctl.imaging.opening import read_file
from lesionctl.imaging.perceptual_hash import perceptual_hash
from lesionctl.prepare.findings import Finding, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.imaging.resize_rule import ResizeRule
    from lesionctl.prepare.sources import Record

_FULL = 0.9999  # a mask of more than this share of its picture marks nothing


@dataclass(frozen=True)
class Examination:
    """What is known of a pair that can be used, but for its pixels.

    Attributes:
        height: Height of the upright picture, in pixels.
        width: Width of the upright picture, in pixels.
        lesion_fraction: Share of the picture's pixels that are lesion, in [0, 1].
        components: Connected parts of the lesion, also by their corners.
        holes: Connected parts of the background that lesion encloses.
        borders: Sides of the picture that the lesion touches: some of top, bottom, left, right.
        sha256: Digest of the picture file's bytes, in hex.
        mask_sha256: Digest of the mask file's bytes, in hex.
        perceptual_hash: uint64 words.
        appearance: Colours.
    """

    height: int
    width: int
    lesion_fraction: float
    components: int
    holes: int
    borders: tuple[str, ...]
    sha256: str
    mask_sha256: str
    perceptual_hash: NDArray[np.uint64]
    appearance: Appearance


@dataclass(frozen=True)
class AuditedPair:
    """A pair that can be used, as it goes into the store.

    Attributes:
        examination: What is known of it.
        image: uint8 `[size, size, 3]`.
        mask: bool `[size, size]`.
        native_mask: The mask at its own size, packed.
    """

    examination: Examination
    image: Image
    mask: Mask
    native_mask: bytes


def audit_pair(record: Record, size: int, resize: ResizeRule, binarise_at: int | None = None) -> AuditedPair | Finding:
    """Read a pair, check it, and bring it to the store's geometry.

    Args:
        record: What to read.
        size: Side of the square, in pixels.
        resize: How the picture becomes a square.
        binarise_at: Take what is above this grey value as lesion; None: refuse masks that are not binary.

    Returns:
        The pair, or why it is left out: a file that cannot be read, a mask that is not binary or not of its picture's
        size.
    """
    try:
        image_content, mask_content = read_file(record.image), read_file(record.mask)
        decoded = decode_bytes(image_content, record.image, at_least=size)
        mask = decode_mask(mask_content, record.mask, strict=True, binarise_at=binarise_at)
    except BadFile as error:
        return Finding(Kind.UNUSABLE, record.source, record.id, error.path, error.reason)
    height, width = decoded.height, decoded.width
    if mask.shape != (height, width):
        return Finding(
            Kind.SIZE_MISMATCH,
            record.source,
            record.id,
            record.mask,
            f"the mask is {mask.shape[1]}×{mask.shape[0]} pixels, its picture {width}×{height}",
        )
    frame = Frame.fit(height, width, size, resize)
    small, small_mask = frame.shrink(decoded.image), frame.shrink_mask(mask)
    components, holes = count_parts(mask)
    examination = Examination(
        height=height,
        width=width,
        lesion_fraction=round(cv2.countNonZero(mask.view(np.uint8)) / mask.size, 6),
        components=components,
        holes=holes,
        borders=touched_borders(mask),
        sha256=hashlib.sha256(image_content).hexdigest(),
        mask_sha256=hashlib.sha256(mask_content).hexdigest(),
        perceptual_hash=perceptual_hash(small),
        appearance=describe_colours(small, small_mask),
    )
    return AuditedPair(examination, small, small_mask, pack(mask))


def count_parts(mask: Mask) -> tuple[int, int]:
    """Count the connected parts of the lesion (over corners too) and the holes in it (over sides only).

    Args:
        mask: bool `[H, W]`.
    """
    contours, hierarchy = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0, 0
    is_hole = hierarchy.reshape(-1, 4)[:, 3] >= 0
    return int((~is_hole).sum()), int(is_hole.sum())


def touched_borders(mask: Mask) -> tuple[str, ...]:
    """The sides of the picture that the lesion touches.

    Args:
        mask: bool `[H, W]`.
    """
    sides = {"top": mask[0], "bottom": mask[-1], "left": mask[:, 0], "right": mask[:, -1]}
    return tuple(name for name, pixels in sides.items() if pixels.any())


def findings_of(record: Record, found: Examination) -> list[Finding]:
    """What is worth a look in one pair by itself."""
    findings = []

    def note(kind: Kind, detail: str) -> None:
        findings.append(Finding(kind, record.source, record.id, record.mask, detail))

    if found.components == 0:
        note(Kind.EMPTY_MASK, "no pixel is lesion")
    elif found.lesion_fraction > _FULL:
        note(Kind.FULL_MASK, f"{found.lesion_fraction:.2%} of the picture is lesion")
    elif found.borders:
        note(Kind.TOUCHES_BORDER, "the lesion touches " + ", ".join(found.borders))
    if found.components > 1:
        note(Kind.SEVERAL_COMPONENTS, f"the lesion has {found.components} parts")
    if found.holes:
        note(Kind.HOLES, f"{found.holes} hole" + "s" * (found.holes > 1))
    return findings
