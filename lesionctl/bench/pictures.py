"""Pictures to measure with: drawn, at the sizes of the real sets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cv2.typing import MatLike
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image

SIZES = (
    *[(600, 450)] * 2,
    *[(767, 576)] * 2,
    *[(1024, 768)] * 7,
    *[(1504, 1129)] * 1,
    *[(2048, 1536)] * 1,
    *[(3008, 2000)] * 4,
    *[(3072, 2304)] * 1,
    *[(3872, 2592)] * 1,
    *[(4288, 2848)] * 5,
)
"""Width and height of the pictures: 24, of 0.3 to 12 megapixels, median 2.4, mean 4.7.

The sizes that are most frequent in the training pictures of ISIC 2017 and 2018, in about their proportions by the
archive's own records of 2074 of them (0.8 megapixels: 25 %, 6: 20 %, 10 to 12: 29 %), and two of HAM10000's.
Left out are those of 30 megapixels, one in ten: they would take most of the time.
"""

_SCENES = 6  # drawn anew; others are one of them at another size
_DRAWN_SIDE = 512  # pixels of a drawing's longer side: it is enlarged to what is wanted
_GRAIN = 7.0  # grey levels: it makes files of some 2 bits per pixel, as the archive's are
_GRAIN_TILE = 1024
_QUALITY = 90


def draw_pictures(
    folder: Path, sizes: Sequence[tuple[int, int]] = SIZES, *, seed: int = 0, progress: Progress | None = None
) -> list[Path]:
    """Draw JPEG files; the same seed gives the same bytes.

    Args:
        folder: Where they go; it is made.
        sizes: Width and height of each, in pixels.
        seed: Of the drawing.
        progress: Who listens.

    Returns:
        The files, small and large ones mixed.

    Raises:
        OSError: The disk is full, or the place is not writable.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    order = random.permutation(len(sizes)).tolist()
    grain = random.normal(0, _GRAIN, (_GRAIN_TILE, _GRAIN_TILE, 3)).astype(np.int16)
    drawings = list(parallel_map(partial(_draw, seed), range(min(_SCENES, len(sizes)))))  # each uint8 [h, w, 3]

    def write(number: int) -> Path:
        width, height = sizes[order[number]]
        drawing = drawings[number % len(drawings)]
        image = _add_grain(cv2.resize(drawing, (width, height), interpolation=cv2.INTER_LINEAR), grain)
        path = folder / f"drawn_{number:03d}_{width}x{height}.jpg"
        Pillow.fromarray(image).save(path, quality=_QUALITY)
        return path

    return list(track(progress or Silent(), parallel_map(write, range(len(sizes))), "drawing", len(sizes)))


def describe_pictures(paths: Sequence[Path], *, drawn: bool) -> dict[str, Any]:
    """Which pictures a prediction is measured on, in JSON's forms, so that two runs can be told to have had the same.

    Args:
        paths: The files.
        drawn: Whether they are `draw_pictures`'.

    Returns:
        `count`; `drawn`; `bytes`, of all files; `digest`, SHA-256 over the names of the files and their sizes in bytes.
    """
    sizes = sorted((path.name, path.stat().st_size) for path in paths)
    digest = hashlib.sha256("".join(f"{name}\t{size}\n" for name, size in sizes).encode(errors="surrogateescape"))
    return {
        "count": len(sizes),
        "drawn": drawn,
        "bytes": sum(size for _, size in sizes),
        "digest": digest.hexdigest(),
    }


def _draw(seed: int, number: int) -> Image:
    scene = plan_scene(seed, number)
    shrunk = _DRAWN_SIDE / max(scene.width, scene.height)
    return paint_scene(seed, replace(scene, width=round(scene.width * shrunk), height=round(scene.height * shrunk)))[0]


def _add_grain(image: MatLike, grain: NDArray[np.int16]) -> MatLike:
    """An image uint8 `[H, W, 3]` with grain `[_GRAIN_TILE, _GRAIN_TILE, 3]`, tile by tile, in its own place."""
    for top in range(0, image.shape[0], _GRAIN_TILE):
        for left in range(0, image.shape[1], _GRAIN_TILE):
            part = image[top : top + _GRAIN_TILE, left : left + _GRAIN_TILE]
            part[:] = cv2.add(part, grain[: part.shape[0], : part.shape[1]], dtype=cv2.CV_8U)
    return image
