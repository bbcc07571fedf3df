"""The demo set: pictures drawn here and now, for the whole way from data to figures without a network."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow

from lesionctl.atomic import new_directory, write_bytes
from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import Scene, plan_scene
from lesionctl.imaging.arrays import Image, Mask
from lesionctl.imaging.artefacts import ARTEFACTS
from lesionctl.imaging.masks import MASK_SUFFIX, encode_mask
from lesionctl.progress import Progress, Silent, track

Row = dict[str, str | int | float]
"""A line of `metadata.csv`."""

# EXIF's orientation says what was done to the upright picture; a viewer undoes it.
_STORED = {
    3: Pillow.Transpose.ROTATE_180,
    6: Pillow.Transpose.ROTATE_90,
    8: Pillow.Transpose.ROTATE_270,
}
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class DemoSummary:
    """What was drawn, and where it lies.

    Args:
        directory: That holds `images`, `masks` and `metadata.csv`.
        pictures: How many, each with its mask.
        bytes_written: Size of all files together.
    """

    directory: Path
    pictures: int
    bytes_written: int


def draw_demo(
    directory: Path,
    *,
    count: int = 24,
    seed: int = 0,
    overwrite: bool = False,
    texts: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> DemoSummary:
    """Draw a small set of dermoscopic pictures with exact masks.

    Every 24 pictures show light to dark skin, lesions of one to three colours, sharp and fuzzy borders, the usual
    artefacts, tiny and frame-filling lesions, several sizes and EXIF orientations, and some lesions twice. A picture
    depends on the seed and on its number alone, and comes out the same to the byte on the same machine.

    Args:
        directory: To make; it appears whole or not at all.
        count: How many pictures; at least 1.
        seed: At least 0.
        overwrite: Replace a directory that stands there already.
        texts: Other files to put beside the pictures, by name.
        progress: Hears of every picture; None: nobody does.

    Raises:
        LesionctlError: Something stands at `directory` already.
        OSError: The disk is full, or the place is not writable.
    """
    with new_directory(directory, overwrite=overwrite) as part:
        images, masks = part / "images", part / "masks"
        images.mkdir()
        masks.mkdir()
        rows = []
        for number in track(progress or Silent(), range(count), "drawing", count):
            scene = plan_scene(seed, number)
            image, mask = paint_scene(seed, scene)
            image_id = f"DEMO_{number:07d}"
            write_picture(images / f"{image_id}.jpg", image, scene.orientation)
            write_bytes(masks / f"{image_id}{MASK_SUFFIX}", encode_mask(mask))
            rows.append(_describe(image_id, scene, mask))
        _write_table(part / "metadata.csv", rows)
        for name, text in (texts or {}).items():
            (part / name).write_text(text, encoding="utf-8")
        bytes_written = sum(file.stat().st_size for file in part.rglob("*.*"))
    return DemoSummary(directory, count, bytes_written)


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


def _describe(image_id: str, scene: Scene, mask: Mask) -> Row:
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


def _write_table(path: Path, rows: list[Row]) -> None:
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
