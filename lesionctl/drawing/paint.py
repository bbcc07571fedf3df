"""From a scene to a picture and its mask."""

from __future__ import annotations

import cv2
import numpy as np

from lesionctl.drawing.lesion import BORDER_OPACITY, REACH, draw_lesion
from lesionctl.drawing.noise import Field
from lesionctl.drawing.scene import Scene, Stream, generator
from lesionctl.drawing.skin import skin_colour, skin_density
from lesionctl.imaging.arrays import Image, Mask
from lesionctl.imaging.artefacts import ARTEFACTS

# Beyond this size a lesion's pattern is drawn smaller and enlarged: a lens is not sharper either.
_LARGEST_DRAWING = 1200


def paint_scene(seed: int, scene: Scene) -> tuple[Image, Mask]:
    """Paint one picture of the demo set.

    The same field blends the lesion into the skin and, where it passes `BORDER_OPACITY`, makes the mask.

    Args:
        seed: Of the whole set; at least 0.
        scene: What the picture holds.

    Returns:
        The upright picture, uint8 RGB `[height, width, 3]`, and the lesion's mask, bool `[height, width]`.
    """
    rng = generator(seed, scene.number, Stream.PAINT)
    pigment, opacity = _place_lesion(seed, scene)
    texture = skin_density(scene.height, scene.width, rng)
    reflected = skin_colour(scene.lesion.ita, scene.lesion.undertone) * np.exp(-texture - pigment)
    image = _expose(reflected, scene, rng)
    for name, add_artefact in ARTEFACTS.items():
        if name in scene.artefacts:
            image = add_artefact(image, rng)
    return image, opacity > BORDER_OPACITY


def _place_lesion(seed: int, scene: Scene) -> tuple[Field, Field]:
    """The lesion's optical density `[height, width, 3]` and opacity `[height, width]` in the picture's frame."""
    area = scene.extent * scene.width * scene.height
    side = min(_LARGEST_DRAWING, round(2 * REACH * np.sqrt(area / np.pi)))
    density, opacity = draw_lesion(scene.lesion, side, generator(seed, scene.lesion.number, Stream.PATTERN))
    # No lesion is the disc that `side` was reckoned for; what it was drawn at decides how much it is enlarged.
    zoom = np.sqrt(area / np.count_nonzero(opacity > BORDER_OPACITY))
    place = cv2.getRotationMatrix2D((side / 2, side / 2), np.degrees(scene.angle), zoom)
    place[:, 2] += scene.centre[0] * scene.width - side / 2, scene.centre[1] * scene.height - side / 2
    lesion = np.dstack([density, opacity])
    placed = np.asarray(cv2.warpAffine(lesion, place, (scene.width, scene.height)), np.float32)
    return placed[..., :3], placed[..., 3]


def _expose(reflected: Field, scene: Scene, rng: np.random.Generator) -> Image:
    """Take the photograph, in the scene's light and a little grainy."""
    grain = rng.standard_normal((scene.height, scene.width, 1), dtype=np.float32) * rng.uniform(0.004, 0.012)
    return np.clip((reflected * np.asarray(scene.light, np.float32) + grain) * 255, 0, 255).astype(np.uint8)
