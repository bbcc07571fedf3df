"""The demo set: the same to the byte for a seed, true to its masks and its table, and as varied as it promises."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import SKIN_TONES, plan_scene
from lesionctl.errors import LesionctlError
from lesionctl.fetch.demo import DemoSummary, draw_demo, write_picture
from lesionctl.imaging.artefacts import ARTEFACTS

COUNT = 8


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return draw_demo(tmp_path_factory.mktemp("demo") / "set", count=COUNT, seed=5)


@pytest.fixture(scope="module")
def rows(demo):
    with (demo.directory / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_pair(directory, image_id):
    with Pillow.open(directory / "images" / f"{image_id}.jpg") as stored:
        image = np.asarray(ImageOps.exif_transpose(stored))
    with Pillow.open(directory / "masks" / f"{image_id}_segmentation.png") as stored:
        assert stored.mode == "L"
        return image, np.asarray(stored)


def contents(directory):
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*.*")}


def test_layout_and_summary(demo):
    files = contents(demo.directory)
    assert set(files) == {
        "metadata.csv",
        *(f"images/DEMO_{i:07d}.jpg" for i in range(COUNT)),
        *(f"masks/DEMO_{i:07d}_segmentation.png" for i in range(COUNT)),
    }
    assert demo == DemoSummary(demo.directory, COUNT, sum(map(len, files.values())))


def test_same_seed_same_bytes_whatever_the_count(demo, tmp_path):
    whole, part = contents(demo.directory), contents(draw_demo(tmp_path / "set", count=3, seed=5).directory)
    assert whole.pop("metadata.csv").startswith(part.pop("metadata.csv"))
    assert part.items() <= whole.items()


def test_other_seed_other_pictures(demo, tmp_path):
    part = draw_demo(tmp_path / "set", count=1, seed=6).directory
    name = "images/DEMO_0000000.jpg"
    assert (part / name).read_bytes() != (demo.directory / name).read_bytes()


def test_mask_has_the_size_of_the_upright_picture_and_the_area_in_the_table(demo, rows):
    for row in rows:
        image, mask = read_pair(demo.directory, row["image_id"])
        assert image.shape == (int(row["height"]), int(row["width"]), 3)
        assert mask.shape == image.shape[:2]
        assert set(np.unique(mask)) == {0, 255}
        assert float(row["area_fraction"]) == pytest.approx((mask > 128).mean(), abs=1e-5)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_turned_pictures_are_stored_turned(tmp_path, orientation):
    scene = next(scene for scene in (plan_scene(5, i) for i in range(24)) if scene.orientation == orientation)
    upright, _ = paint_scene(5, scene)
    path = tmp_path / "turned.jpg"
    write_picture(path, upright, orientation)
    with Pillow.open(path) as stored:
        assert stored.getexif()[0x0112] == orientation
        on_its_side = orientation in (6, 8)
        assert stored.size == ((scene.height, scene.width) if on_its_side else (scene.width, scene.height))
        # JPEG changes a pixel by a few grey levels; a picture that lies the wrong way differs by dozens.
        assert np.abs(np.asarray(ImageOps.exif_transpose(stored), int) - upright).mean() < 4


def test_lesions_stand_out_from_the_skin_around_them(demo, rows):
    for row in rows:
        image, mask = read_pair(demo.directory, row["image_id"])
        radius = max(3, min(mask.shape) // 30)
        brush = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
        ring = cv2.dilate(mask, brush) > mask
        inside, around = (np.median(image[where], axis=0) for where in (mask > 128, ring))
        assert np.abs(inside - around).max() > 20, row


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [0, 7])
def test_any_24_pictures_in_a_row_show_what_dermoscopy_meets(seed, first):
    scenes = [plan_scene(seed, number) for number in range(first, first + 24)]
    assert {scene.lesion.tone for scene in scenes} == set(SKIN_TONES)
    assert {len(scene.lesion.colours) for scene in scenes} == {1, 2, 3}
    assert {scene.lesion.border for scene in scenes} == {"sharp", "fuzzy"}
    assert {name for scene in scenes for name in scene.artefacts} == set(ARTEFACTS)
    assert {scene.orientation for scene in scenes} >= {1, 3, 6, 8}
    assert {(scene.width, scene.height) for scene in scenes} >= {(1024, 768), (767, 576), (600, 450), (2000, 1500)}
    assert len({scene.width / scene.height for scene in scenes}) >= 4
    assert 18 <= len({scene.lesion.number for scene in scenes}) <= 21


def test_eight_pictures_are_varied_already(rows):
    assert len({row["skin_tone"] for row in rows}) >= 5
    assert {row["colours"].count(";") + 1 for row in rows} == {1, 2, 3}
    assert {row["border"] for row in rows} == {"sharp", "fuzzy"}
    for name in ARTEFACTS:
        assert {row[name] for row in rows} == {"0", "1"}
    assert len({row["orientation"] for row in rows}) >= 3
    areas = [float(row["area_fraction"]) for row in rows]
    assert 0.004 < min(areas) < 0.006
    assert max(areas) > 0.7
    assert len({row["lesion_id"] for row in rows}) == COUNT - 1


def test_typology_angle_lies_in_its_class():
    for number in range(48):
        lesion = plan_scene(1, number).lesion
        low, high = SKIN_TONES[lesion.tone]
        assert low <= lesion.ita <= high


def test_skin_darkens_with_its_tone(demo, rows):
    brightness = {}
    for row in rows:
        if row["vignette"] == row["dark_corner"] == "0":
            image, mask = read_pair(demo.directory, row["image_id"])
            brightness[row["skin_tone"]] = np.median(image[mask == 0])
    assert brightness["very light"] > brightness["dark"] + 60


@pytest.mark.parametrize("number", [7, 18])
def test_frame_filling_lesion_touches_the_border_of_the_picture(number):
    _, mask = paint_scene(2, plan_scene(2, number))
    assert 0.7 < mask.mean() < 0.99
    assert mask[0].any() or mask[-1].any()
    assert mask[:, 0].any() or mask[:, -1].any()


def test_a_lesion_photographed_twice_is_the_same_lesion_in_another_picture():
    first, second = plan_scene(0, 4), plan_scene(0, 5)
    assert first.lesion == second.lesion
    assert (first.angle, first.light, first.extent) != (second.angle, second.light, second.extent)
    shapes = []
    for scene in (first, second):
        _, mask = paint_scene(0, scene)
        # Hu's first invariant of a shape is the same at every size and angle; that of a disc is 1 / 2 pi.
        shapes.append(cv2.HuMoments(cv2.moments(mask.astype(np.uint8), binaryImage=True))[0, 0])
    assert shapes[0] == pytest.approx(shapes[1], rel=0.01)


def test_drawing_over_something_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(LesionctlError, match="exists already"):
        draw_demo(tmp_path / "set", count=1)
    assert list((tmp_path / "set").iterdir()) == []


def test_progress_hears_of_every_picture(tmp_path):
    heard = []

    class Listener:
        def task(self, description, total=None):
            heard.append(total)
            return self

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def advance(self, steps=1):
            heard.append(steps)

    draw_demo(tmp_path / "set", count=2, progress=Listener())
    assert heard == [2, 1, 1]
