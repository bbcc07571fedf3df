"""Recipes' steps as transforms: albumentations' own where it has one, small ones of the same form where it has none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# albumentations asks a package index for its newest version when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A  # noqa: N812 - albumentations' own convention
import cv2
import numpy as np

from lesionctl.imaging.artefacts import ARTEFACTS
from lesionctl.train.augment.steps import ONE_OF, SIZING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image
    from lesionctl.imaging.artefacts import Painter
    from lesionctl.train.augment.recipe import Step

_Span = tuple[float, float]

_INTERPOLATIONS = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "nearest_exact": cv2.INTER_NEAREST_EXACT,
}

_NO_SECOND_MAP: Any = None  # both coordinates are in the first; OpenCV's types do not know that

_BORDERS = {"reflect": cv2.BORDER_REFLECT_101, "black": cv2.BORDER_CONSTANT}


def make_transform(step: Step, size: int) -> A.BasicTransform | A.OneOf:
    """The transform of one step.

    Args:
        step: What it does.
        size: Side of the view, in pixels.
    """
    if step.name == ONE_OF:
        return A.OneOf([make_transform(choice, size) for choice in step.choices], p=step.p)
    if step.name in ARTEFACTS:
        return Artefact(ARTEFACTS[step.name], p=step.p)
    if step.name in SIZING:
        return _SIZERS[step.name](p=step.p, size=size, **dict(step.parameters))
    return _MAKERS[step.name](p=step.p, **dict(step.parameters))


class Dihedral(A.D4):
    """albumentations' D4, to the bit, by OpenCV's turns and flips: NumPy's views take 20 times as long to copy."""

    def apply(self, img: NDArray[np.uint8], group_element: str, **_: Any) -> NDArray[np.uint8]:
        """Turn or flip: uint8 `[S, S]` or `[S, S, 3]` in and out."""
        return np.asarray(_D4[group_element](img))


_D4: dict[str, Callable[[Any], Any]] = {
    "e": lambda img: img,
    "r90": lambda img: cv2.rotate(img, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "r180": lambda img: cv2.rotate(img, cv2.ROTATE_180),
    "r270": lambda img: cv2.rotate(img, cv2.ROTATE_90_CLOCKWISE),
    "v": lambda img: cv2.flip(img, 0),
    "h": lambda img: cv2.flip(img, 1),
    "t": cv2.transpose,
    "hvt": lambda img: cv2.flip(cv2.transpose(img), -1),
}


class Elastic(A.DualTransform):
    """Bends picture and mask: random displacements on a coarse grid, bicubic in between (Ronneberger et al. 2015).

    albumentations' elastic transforms blur noise at full size or warp by a mesh: 10 to 20 times the time.

    Args:
        strength: Span of the displacements' standard deviation, as a share of the side.
        grid: Points along each side that are displaced.
        border: OpenCV's border mode.
        p: Share of the pictures that get it, in [0, 1].
    """

    _targets = (A.core.type_definitions.Targets.IMAGE, A.core.type_definitions.Targets.MASK)

    def __init__(self, strength: _Span, grid: int, border: int, p: float) -> None:
        super().__init__(p=p)
        self._strength = strength
        self._grid = grid
        self._border = border

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw where each pixel is taken from: float32 `[H, W, 2]`, (x, y)."""
        height, width = params["shape"][:2]
        spread = self.py_random.uniform(*self._strength) * min(height, width)
        knots = self.random_generator.standard_normal((self._grid, self._grid, 2), np.float32) * np.float32(spread)
        places = cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
        places[..., 0] += np.arange(width, dtype=np.float32)
        places[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        return {"places": places}

    def apply(self, img: Image, places: NDArray[np.float32], **_: Any) -> Image:
        """Bend: uint8 `[H, W, 3]` in and out."""
        return np.asarray(cv2.remap(img, places, _NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=self._border), np.uint8)

    def apply_to_mask(self, mask: NDArray[np.uint8], places: NDArray[np.float32], **_: Any) -> NDArray[np.uint8]:
        """Bend: uint8 `[H, W]` in and out."""
        return np.asarray(cv2.remap(mask, places, _NO_SECOND_MAP, cv2.INTER_NEAREST, borderMode=self._border), np.uint8)


class ColourConstancy(A.ImageOnlyTransform):
    """Shades of grey: divides by the light's colour, estimated as the Minkowski mean of each channel.

    Finlayson and Trezzi, "Shades of gray and colour constancy", 2004. Prediction does not do the same: as a step that
    comes at random it shows some lesions as another lab would have shown them, and is no preprocessing.

    Args:
        norm: Minkowski's p; 1 is grey world, a large one is the brightest patch.
        p: Share of the pictures that get it, in [0, 1].
    """

    def __init__(self, norm: float, p: float) -> None:
        super().__init__(p=p)
        self._powers = (np.arange(256) / 255) ** norm
        self._norm = norm

    def apply(self, img: Image, **_: Any) -> Image:
        """Make the light grey: uint8 `[H, W, 3]` in and out."""
        counts = [np.bincount(img[..., channel].ravel(), minlength=256) for channel in range(3)]
        means = np.array([count @ self._powers / count.sum() for count in counts]) ** (1 / self._norm)
        light = np.maximum(means, 1 / 255)  # a channel without any light stays without
        gains = np.linalg.norm(light) / np.sqrt(3) / light
        table = np.clip(np.arange(256)[:, None] * gains + 0.5, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(img, table[None]), np.uint8)


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


def _random_resized_crop(
    p: float, size: int, scale: _Span, ratio: _Span, interpolation: str, mask_interpolation: str
) -> A.BasicTransform:
    way, mask_way = _INTERPOLATIONS[interpolation], _INTERPOLATIONS[mask_interpolation]
    return A.RandomResizedCrop(
        (size, size), scale=scale, ratio=ratio, interpolation=way, mask_interpolation=mask_way, p=p
    )


def _resize(p: float, size: int, interpolation: str, mask_interpolation: str) -> A.BasicTransform:
    way, mask_way = _INTERPOLATIONS[interpolation], _INTERPOLATIONS[mask_interpolation]
    return A.Resize(size, size, interpolation=way, mask_interpolation=mask_way, p=p)


def _affine(p: float, scale: _Span, rotate: _Span, shear: _Span, translate: _Span, border: str) -> A.BasicTransform:
    way = _BORDERS[border]
    return A.Affine(scale=scale, rotate=rotate, shear=shear, translate_percent=translate, border_mode=way, p=p)


def _elastic(p: float, strength: _Span, grid: float, border: str) -> A.BasicTransform:
    return Elastic(strength, round(grid), _BORDERS[border], p)


def _colour(
    p: float,
    brightness: _Span = (1.0, 1.0),
    contrast: _Span = (1.0, 1.0),
    saturation: _Span = (1.0, 1.0),
    hue: _Span = (0.0, 0.0),
) -> A.BasicTransform:
    """What is not named stays as it is."""
    return A.ColorJitter(brightness, contrast, saturation, hue, p=p)


_SIZERS: dict[str, Callable[..., A.BasicTransform]] = {"random_resized_crop": _random_resized_crop, "resize": _resize}

_MAKERS: dict[str, Callable[..., A.BasicTransform]] = {
    "dihedral": Dihedral,
    "affine": _affine,
    "elastic": _elastic,
    # A gain in light is a gain in sRGB's values too, by another factor, but for the straight piece near black.
    "illuminant": lambda p, gain: A.MultiplicativeNoise(gain, per_channel=True, p=p),
    "colour_jitter": _colour,
    "brightness": lambda p, factor: _colour(p, brightness=factor),
    "contrast": lambda p, factor: _colour(p, contrast=factor),
    "saturation": lambda p, factor: _colour(p, saturation=factor),
    "hue": lambda p, shift: _colour(p, hue=shift),
    "gamma": lambda p, exponent: A.RandomGamma((exponent[0] * 100, exponent[1] * 100), p=p),
    # albumentations takes shifts within 1 for shares of white: it always gets shares.
    "rgb_shift": lambda p, shift: A.RGBShift(*[(shift[0] / 255, shift[1] / 255)] * 3, p=p),
    "blur": lambda p, sigma: A.GaussianBlur(sigma_limit=sigma, p=p),
    "sharpen": lambda p, alpha, lightness: A.Sharpen(alpha=alpha, lightness=lightness, p=p),
    "jpeg": lambda p, quality: A.ImageCompression(quality_range=(round(quality[0]), round(quality[1])), p=p),
    "noise": lambda p, sigma: A.GaussNoise(std_range=sigma, p=p),
    "colour_constancy": lambda p, norm: ColourConstancy(norm, p),
}
