"""A sheet of augmented pictures, for people to judge a recipe by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.imaging.overlay import draw_outline
from lesionctl.train.augment.augmentation import Augmentation
from lesionctl.train.augment.recipe import Recipe

if TYPE_CHECKING:
    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Image

_PICTURES = 6
_VIEWS = 7
_GAP = 4  # pixels
_LABEL = 18  # pixels
_PAPER = 255


def paint_sheet(store: Store, recipe: Recipe, size: int, seed: int) -> bytes:
    """Paint a row for each of six training pictures: the picture as it is, then seven views, all with their outlines.

    Args:
        store: Where the pictures are; with fewer than six in its training split, all of those are painted.
        recipe: How they are varied.
        size: Side of a view, in pixels.
        seed: Decides which pictures and which views.

    Returns:
        The bytes of a PNG.
    """
    rng = np.random.default_rng(seed)
    rows = store.rows(Split.TRAIN)
    plain, vary = Augmentation(size, Recipe("none")), Augmentation(size, recipe)
    strips = [_label(["as it is", *(f"view {view + 1}" for view in range(_VIEWS))], size)]
    for row in sorted(rng.choice(rows, min(_PICTURES, len(rows)), replace=False)):
        pair = np.array(store.images[row]), np.array(store.masks[row])
        views = [plain(*pair, 0), *(vary(*pair, int(own)) for own in rng.integers(2**32, size=_VIEWS))]
        strips.append(_strip([draw_outline(*view) for view in views]))
    sheet = np.concatenate(strips)
    done, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError("the PNG encoder refused a sheet")
    return encoded.tobytes()


def _strip(tiles: list[Image]) -> Image:
    """The tiles side by side, a gap right of and below each."""
    framed = [cv2.copyMakeBorder(t, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(_PAPER,) * 3) for t in tiles]
    return np.concatenate(framed, axis=1).astype(np.uint8, copy=False)


def _label(words: list[str], size: int) -> Image:
    """A line of words, each above its column."""
    line = np.full((_LABEL, len(words) * (size + _GAP), 3), _PAPER, np.uint8)
    for column, word in enumerate(words):
        place = column * (size + _GAP), _LABEL - 6
        cv2.putText(line, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return line
