"""The pictures that an exported model is fitted to and compared on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lesionctl.dataset.pairs import image_id, list_images, mask_id
from lesionctl.errors import BadFile, UsageError
from lesionctl.imaging.decode import decode
from lesionctl.imaging.masks import read_mask
from lesionctl.runtime.parity import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lesionctl.nets.model_spec import ModelSpec


FEWEST_PICTURES = 16
"""That int8 is fitted to: the ranges are means over the pictures, and of fewer, one odd picture moves them too far."""

_MOST_PICTURES = 64  # more move the ranges no further


class Shares(NamedTuple):
    """What pictures are for.

    Attributes:
        calibration: Those that int8 is fitted to.
        compared: Those that the exported model is compared on.
    """

    calibration: tuple[Path, ...]
    compared: tuple[Path, ...]

    @property
    def are_apart(self) -> bool:
        """Whether the model is compared on other pictures than those that it was fitted to."""
        return self.calibration != self.compared


def share_out(images: tuple[Path, ...]) -> Shares:
    """Pictures to fit int8 to, evenly from first to last and at most half of them, and the others to compare on.

    Args:
        images: At least `FEWEST_PICTURES`. Of fewer than twice as many, all are for both.
    """
    number = min(_MOST_PICTURES, len(images) // 2)
    if number < FEWEST_PICTURES:
        return Shares(images, images)
    chosen = {index * len(images) // number for index in range(number)}
    return Shares(
        tuple(image for index, image in enumerate(images) if index in chosen),
        tuple(image for index, image in enumerate(images) if index not in chosen),
    )


def find_masks(images: Sequence[Path], folder: Path) -> list[Path]:
    """The mask of each picture, by its id (`X.jpg` has `X_segmentation.png`, see `mask_id`).

    Raises:
        UsageError: There is no such folder, or it has none or several for a picture.
    """
    masks: dict[str, list[Path]] = {}
    for path in list_images(folder):
        masks.setdefault(mask_id(path), []).append(path)
    found = [masks.get(image_id(image), []) for image in images]
    missing = [image for image, own in zip(images, found, strict=True) if not own]
    if missing:
        raise UsageError(
            f"{folder} has no mask for {len(missing)} of {len(images)} pictures, such as {missing[0]}",
            hint=f"a mask is named after its picture: {missing[0].stem}_segmentation.png",
        )
    for own in found:
        if len(own) > 1:
            raise UsageError(f"{own[0]} and {own[1]} are masks of the same picture", hint="leave one of them there")
    return [own[0] for own in found]


def read_examples(images: Sequence[Path], masks: Sequence[Path]) -> Iterator[Example]:
    """The pictures, with their masks if there are any.

    Raises:
        BadFile: A picture or a mask cannot be read, or they are not of one size.
    """
    for index, path in enumerate(images):
        image = decode(path).image
        truth = read_mask(masks[index]) if masks else None
        if truth is not None and truth.shape != image.shape[:2]:
            raise BadFile(masks[index], f"is {_size(truth)}, its picture {path} is {_size(image)}")
        yield Example(image, truth)


def read_views(images: Sequence[Path], spec: ModelSpec) -> list[NDArray[np.uint8]]:
    """Pictures as a network sees them.

    Args:
        images: The picture files.
        spec: How the model is used.

    Returns:
        Each uint8 `[size, size, 3]`, RGB.

    Raises:
        BadFile: A picture cannot be read.
    """
    pictures = (decode(path, at_least=spec.size).image for path in images)
    return [spec.frame(*picture.shape[:2]).shrink(picture) for picture in pictures]


def _size(pixels: NDArray[np.generic]) -> str:
    return f"{pixels.shape[1]} × {pixels.shape[0]}"
