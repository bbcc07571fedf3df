"""Whether two pictures show the same thing: one is laid over the other, and their details are compared place by place.

Landmarks (ORB: Rublee et al., 2011) are matched, and an affine map that many of them agree on lays one picture over the
other: shifted, turned, zoomed, squashed otherwise. A ruler, a lens with its reflections or an ink mark in both pictures
can fool that; so the pixels decide: how well the details of both go together is measured in small windows everywhere,
and averaged over all of them, so that a thing in one place cannot speak for the whole. Light and colour do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from cv2.typing import MatLike

    from lesionctl.imaging.arrays import Image

_SIDE = 224  # of the pictures in which landmarks are sought, in pixels
_LANDMARKS = 300
_LEAST_PLACES = 10  # that must agree on how the pictures lie over each other
_PLACE = 5  # side of a place, in pixels: landmarks closer than that count once
_BETTER = 0.85  # than the second best match, in distance
_TOLERANCE = 3.0  # pixels, between landmarks laid over each other
_MOST_ZOOM, _MOST_SQUASH = 3.3, 2.0

_COMPARED_SIDE = 128  # of the pictures that are laid over each other
_DETAIL = 2.2  # standard deviation in pixels: what is coarser is light, not detail
_WINDOW = 15
_NOISE = 1.0  # variance in grey levels that means nothing
_DARKNESS = 25  # grey level below which there is no skin, but the rim of the lens
_LEAST_OVERLAP = 0.05


@dataclass(frozen=True)
class Landmarks:
    """A picture, and the places in it that are recognised again.

    Attributes:
        grey: uint8 `[224, 224]`.
        places: (x, y) in pixels: float32 `[N, 2]`.
        descriptors: What each looks like: uint8 `[N, 32]`.
    """

    grey: MatLike
    places: MatLike
    descriptors: MatLike


def find_landmarks(image: Image, *, mirrored: bool = False) -> Landmarks:
    """Find up to 300 landmarks in a picture.

    Args:
        image: uint8 `[size, size, 3]`.
        mirrored: Mirror the picture first.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if len(grey) != _SIDE:
        grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if mirrored:
        grey = cv2.flip(grey, 1)
    detector = cv2.ORB.create(_LANDMARKS, scaleFactor=1.25, edgeThreshold=16, fastThreshold=5)
    keypoints, descriptors = detector.detectAndCompute(grey, None)
    if not keypoints:
        return Landmarks(grey, np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    return Landmarks(grey, np.array([keypoint.pt for keypoint in keypoints], np.float32), descriptors)


def similarity(first: Landmarks, second: Landmarks) -> float:
    """How well the details of two pictures go together where they overlap, at their best.

    Returns:
        0 (nothing in common) to 1 (every detail is the same, but for light and colour). Smooth skin, where noise is all
        there is, counts as different. One photograph in two files has mostly 0.5 or more, two photographs of one lesion
        mostly 0.15 to 0.6, and of two lesions fewer than one pair in a thousand has more than 0.12.
    """
    overlay = _register(first, second)
    if overlay is None:
        return 0.0
    # The nearer view is the common frame, so that nothing of it is lost.
    if np.linalg.det(overlay[:, :2]) < 1:
        first, second, overlay = second, first, cv2.invertAffineTransform(overlay)
    return _common_detail(first.grey, second.grey, overlay)


def _register(first: Landmarks, second: Landmarks) -> MatLike | None:
    """The affine map `[2, 3]` from places in the first picture to places in the second; None: they have none."""
    if min(len(first.places), len(second.places)) < _LEAST_PLACES:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first.descriptors, second.descriptors, k=2)
    pairs = [(best.queryIdx, best.trainIdx) for best, other in matches if best.distance < _BETTER * other.distance]
    if len(pairs) < _LEAST_PLACES:
        return None
    here, there = np.array(pairs).T
    start, end = first.places[here], second.places[there]
    overlay, agreeing = cv2.estimateAffine2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=500, confidence=0.99
    )
    if overlay is None:
        return None
    agree = agreeing.ravel().astype(bool)
    places = min(len(np.unique(points[agree] // _PLACE, axis=0)) for points in (start, end))
    larger, smaller = np.linalg.svd(overlay[:, :2], compute_uv=False)
    plausible = smaller > 1 / _MOST_ZOOM and larger < min(_MOST_ZOOM, _MOST_SQUASH * smaller)
    return overlay if places >= _LEAST_PLACES and plausible else None


def _common_detail(first: MatLike, second: MatLike, overlay: MatLike) -> float:
    """Local correlation of the details, averaged over all places that both pictures show.

    Args:
        first: uint8 `[224, 224]`.
        second: uint8 `[224, 224]`.
        overlay: From places in the first to places in the second.
    """
    side = (_COMPARED_SIDE, _COMPARED_SIDE)
    scale = _SIDE / _COMPARED_SIDE
    to_second = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    to_first = cv2.invertAffineTransform(overlay) @ to_second
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    a = cv2.warpAffine(first, to_first, side, flags=how, borderMode=cv2.BORDER_REPLICATE)
    b = cv2.resize(second, side, interpolation=cv2.INTER_AREA)
    covered = cv2.warpAffine(np.full_like(first, 255), to_first, side, flags=how)
    skin = cv2.min(cv2.blur(a, (7, 7)), cv2.blur(b, (7, 7))) > _DARKNESS
    shown = ((covered == 255) & skin).astype(np.float32)
    weight = cv2.blur(shown, (_WINDOW, _WINDOW))
    if shown.mean() < _LEAST_OVERLAP:
        return 0.0
    a, b = (
        shown * (grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL))
        for grey in (a.astype(np.float32), b.astype(np.float32))
    )
    ab, aa, bb = (cv2.blur(product, (_WINDOW, _WINDOW)) for product in (a * b, a * a, b * b))
    correlation = ab / np.sqrt((aa + _NOISE * weight) * (bb + _NOISE * weight) + 1e-9)
    return max(0.0, float(correlation[shown > 0].mean()))
