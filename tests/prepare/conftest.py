"""Small sets of pictures, each of its own look: nothing in them is alike unless a test makes it so."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.imaging.masks import encode_mask
from lesionctl.prepare.sources import FolderSource


def draw(look, height=60, width=80):
    """A picture of blurred colours and the mask of an ellipse inside it; `look` decides on both.

    Returns:
        uint8 `[height, width, 3]` and bool `[height, width]`.
    """
    random = np.random.default_rng(look)
    coarse = random.integers(40, 230, (5, 6, 3)).astype(np.float32)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    centre = random.uniform(0.4, 0.6, 2) * (width, height)
    radii = random.uniform(0.08, 0.35, 2) * (width, height)
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, centre.astype(int).tolist(), radii.astype(int).tolist(), 0, 0, 360, 1, cv2.FILLED)
    return image, mask.view(bool)


@pytest.fixture
def write_picture():
    """A function that writes a picture of some look and its mask into `images/` and `masks/`; returns both files."""

    def write(folder, name, look, *, suffix=".jpg", height=60, width=80):
        image, mask = draw(look, height, width)
        files = folder / "images" / f"{name}{suffix}", folder / "masks" / f"{name}_segmentation.png"
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(image).save(files[0])
        files[1].write_bytes(encode_mask(mask))
        return files

    return write


@pytest.fixture
def make_set(tmp_path, write_picture):
    """A function that writes a set, one picture for each name, and returns it as a source.

    Args of the function: the set's name; a look by picture name, or how many pictures `I00`, `I01`, … of looks of their
    own; the text of a `metadata.csv`.
    """

    def make(name, looks=12, metadata=None):
        if isinstance(looks, int):
            looks = {f"I{number:02}": 1000 + number for number in range(looks)}
        for picture, look in looks.items():
            write_picture(tmp_path / name, picture, look)
        if metadata:
            (tmp_path / name / "metadata.csv").write_text(metadata)
        return FolderSource.at(tmp_path / name)

    return make


@pytest.fixture
def write_table(tmp_path):
    """A function that writes a table, `metadata.csv` by default, and returns its path."""

    def write(text, name="metadata.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
