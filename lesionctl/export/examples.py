"""The pictures that an exported model is fitted to and compared on."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def read_views(images: Sequence[Path], spec: ModelSpec, at_most: int) -> list[NDArray[np.uint8]]:
    """Pictures as a network sees them.

    Args:
        images: The picture files.
        spec: How the model is used.
        at_most: Of more, so many are taken, evenly from first to last.

    Returns:
        Each uint8 `[size, size, 3]`, RGB.

    Raises:
        BadFile: A picture cannot be read.
    """
    step = max(1.0, len(images) / at_most)
    chosen = [images[int(index * step)] for index in range(min(at_most, len(images)))]
    pictures = (decode(path, at_least=spec.size).image for path in chosen)
    return [spec.frame(*picture.shape[:2]).shrink(picture) for picture in pictures]


def _size(pixels: NDArray[np.generic]) -> str:
    return f"{pixels.shape[1]} × {pixels.shape[0]}"
