"""Random variation of the training pictures: what another camera, hand or light would have changed."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

# albumentations asks a package index for its newest version when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812 - albumentations' own convention
import cv2
import numpy as np

from lesionctl.imaging.artefacts import ARTEFACTS

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.imaging.artefacts import Painter


class Augmentation:
    """A seeded random view of a picture and its mask.

    Args:
        size: Side of the square that comes out, in pixels.
        enabled: False only resizes.
    """

    def __init__(self, size: int, *, enabled: bool) -> None:
        transforms = _random_view(size) if enabled else [A.Resize(size, size, interpolation=cv2.INTER_AREA)]
        self._compose = A.Compose(transforms)

    def __call__(self, image: Image, mask: Mask, seed: int) -> tuple[Image, Mask]:
        """Draw a view.

        Args:
            image: uint8 `[S, S, 3]`.
            mask: bool `[S, S]`.
            seed: Same seed, same view.

        Returns:
            uint8 `[size, size, 3]` and bool `[size, size]`.
        """
        # One stream of numbers for all transforms: a seed given to each would make them all come or stay away together.
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        view: dict[str, Any] = self._compose(image=image, mask=mask.view("uint8"))
        return view["image"], view["mask"].astype(bool)


# How many of the views get each: often enough to be learned, too rare to hide the lesions.
_ARTEFACT_SHARES = {"ink": 0.03, "hair": 0.12, "gel_bubble": 0.06, "ruler": 0.06, "vignette": 0.1, "dark_corner": 0.06}


class Artefact(A.ImageOnlyTransform):
    """Draws one of dermoscopy's artefacts on the picture; the mask stays as it is.

    Args:
        paint: Draws it.
        p: Share of the pictures that get it, in [0, 1].
    """

    def __init__(self, paint: Painter, p: float) -> None:
        super().__init__(p=p)
        self._paint = paint

    def apply(self, img: Image, **_: Any) -> Image:
        """Draw: uint8 `[H, W, 3]` in and out."""
        return self._paint(img, self.random_generator)


def _random_view(size: int) -> list[A.BasicTransform]:
    geometry = [
        A.RandomResizedCrop((size, size), scale=(0.6, 1.0), ratio=(0.8, 1.25), interpolation=cv2.INTER_AREA, p=1),
        A.D4(p=1),
        A.Affine(
            scale=(0.8, 1.1),
            rotate=(-45, 45),
            shear=(-8, 8),
            translate_percent=(-0.08, 0.08),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.6,
        ),
    ]
    artefacts = [Artefact(ARTEFACTS[name], p=p) for name, p in _ARTEFACT_SHARES.items()]
    colour = [
        A.ColorJitter(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.6, 1.4), hue=(-0.05, 0.05), p=0.8),
        A.RGBShift(20, 20, 20, p=0.3),
        A.RandomGamma((70, 140), p=0.2),
    ]
    camera = [
        A.OneOf(
            [A.GaussianBlur(sigma_limit=(0.3, 1.5)), A.Sharpen(), A.ImageCompression(quality_range=(40, 90))], p=0.25
        ),
    ]
    return geometry + artefacts + colour + camera
