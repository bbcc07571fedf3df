"""The files of the demo set: pictures as JPEG, masks as PNG, and a table of what was drawn."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image as Pillow

from lesionctl.fetch.demo.scene import Scene
from lesionctl.imaging.arrays import Image, Mask
from lesionctl.imaging.artefacts import ARTEFACTS

Row = dict[str, str | int | float]
"""A line of `metadata.csv`."""

# EXIF's orientation says what was done to the upright picture; a viewer undoes it.
_STORED = {
    3: Pillow.Transpose.ROTATE_180,
    6: Pillow.Transpose.ROTATE_90,
    8: Pillow.Transpose.ROTATE_270,
}
_ORIENTATION_TAG = 0x0112


def write_picture(path: Path, image: Image, orientation: int) -> None:
    """Save a JPEG whose pixels are stored turned, with the EXIF tag that turns them upright again.

    Args:
        path: Of the file.
        image: The upright picture, uint8 RGB `[H, W, 3]`.
        orientation: EXIF orientation: 1 (stored upright, without a tag), 3, 6 or 8.

    Raises:
        OSError: The file cannot be written.
    """
    picture = Pillow.fromarray(image)
    exif = Pillow.Exif()
    if orientation != 1:
        picture = picture.transpose(_STORED[orientation])
        exif[_ORIENTATION_TAG] = orientation
    picture.save(path, quality=90, exif=exif)


def write_mask(path: Path, mask: Mask) -> None:
    """Save a mask as a grey PNG of 8 bits: 255 on the lesion, 0 elsewhere.

    Args:
        path: Of the file.
        mask: bool `[H, W]`.

    Raises:
        OSError: The file cannot be written.
    """
    Pillow.fromarray(mask.view("uint8") * 255).save(path)


def describe(image_id: str, scene: Scene, mask: Mask) -> Row:
    """A picture's line in the table.

    Args:
        image_id: The stem of its file.
        scene: What was painted.
        mask: bool `[H, W]`.
    """
    lesion = scene.lesion
    return {
        "image_id": image_id,
        "lesion_id": f"LESION_{lesion.number:07d}",
        "width": scene.width,
        "height": scene.height,
        "skin_tone": lesion.tone,
        "ita_degrees": round(lesion.ita, 1),
        "colours": "; ".join(lesion.colours),
        "border": lesion.border,
        **{name: int(name in scene.artefacts) for name in ARTEFACTS},
        "orientation": scene.orientation,
        "area_fraction": round(float(mask.mean()), 5),
    }


def write_table(path: Path, rows: list[Row]) -> None:
    """Save `metadata.csv`: a header, and a line per picture.

    Args:
        path: Of the file.
        rows: At least one, all with the same keys.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
