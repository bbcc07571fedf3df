"""The demo set: pictures drawn here and now, for the whole way from data to figures without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lesionctl.atomic import new_directory
from lesionctl.fetch.demo.paint import paint_scene
from lesionctl.fetch.demo.scene import plan_scene
from lesionctl.fetch.demo.write import describe, write_mask, write_picture, write_table
from lesionctl.progress import Progress, Silent, track


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


def draw_demo(directory: Path, *, count: int = 24, seed: int = 0, progress: Progress | None = None) -> DemoSummary:
    """Draw a small set of dermoscopic pictures with exact masks.

    Every 24 pictures show light to dark skin, lesions of one to three colours, sharp and fuzzy borders, the usual
    artefacts, tiny and frame-filling lesions, several sizes and EXIF orientations, and some lesions twice. A picture
    depends on the seed and on its number alone, and comes out the same to the byte on the same machine.

    Args:
        directory: To make; it appears whole or not at all.
        count: How many pictures; at least 1.
        seed: At least 0.
        progress: Hears of every picture; None: nobody does.

    Raises:
        LesionctlError: Something stands at `directory` already.
        OSError: The disk is full, or the place is not writable.
    """
    with new_directory(directory) as part:
        images, masks = part / "images", part / "masks"
        images.mkdir()
        masks.mkdir()
        rows = []
        for number in track(progress or Silent(), range(count), "drawing", count):
            scene = plan_scene(seed, number)
            image, mask = paint_scene(seed, scene)
            image_id = f"DEMO_{number:07d}"
            write_picture(images / f"{image_id}.jpg", image, scene.orientation)
            write_mask(masks / f"{image_id}_segmentation.png", mask)
            rows.append(describe(image_id, scene, mask))
        write_table(part / "metadata.csv", rows)
        bytes_written = sum(file.stat().st_size for file in part.rglob("*.*"))
    return DemoSummary(directory, count, bytes_written)
