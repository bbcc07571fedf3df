"""Polygons give back the masks they came from, and the file is what tools for COCO expect."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lesionctl.citations import load_citations
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.predict.coco import TOLERANCE, CocoFile, trace

OUT = Path("masks")


def named(name, digest="1-ab"):
    """A picture, its mask and what that is."""
    return Path(name), OUT / name, digest


def rasterise(polygons, shape):
    """The pixels whose centres lie within an odd number of polygons."""
    height, width = shape
    inside = np.zeros(shape, bool)
    for points in polygons:
        crossings = np.zeros((height, width + 1), int)
        corners = np.array(points).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            rows = np.arange(np.ceil(min(y0, y1) - 0.5), np.ceil(max(y0, y1) - 0.5)).astype(int)
            if len(rows):
                x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                np.add.at(crossings, (rows, np.clip(np.ceil(x - 0.5).astype(int), 0, width)), 1)
        inside ^= crossings.cumsum(axis=1)[:, :width] % 2 == 1
    return inside


def without_holes(mask):
    filled = np.zeros(mask.shape, np.uint8)
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled.view(bool)


def ragged(height, width, seed=0):
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(320, 320)), (0, 0), 8)
    y, x = np.mgrid[:320, :320] / 160 - 1
    smooth = (0.66 - np.hypot(x, y) + 0.06 * noise / noise.std()).astype(np.float32)
    return cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR) > 0


def pixel(height, width, *places):
    mask = np.zeros((height, width), bool)
    for place in places:
        mask[place] = True
    return mask


def test_one_pixel_is_a_diamond_through_the_middles_of_its_edges():
    traced = trace(pixel(5, 6, (2, 3)))
    assert traced.points == [[3.0, 2.5, 3.5, 3.0, 4.0, 2.5, 3.5, 2.0]]
    assert (traced.area, traced.bounding_box) == (0.5, (3, 2, 1, 1))


@pytest.mark.parametrize("seed", range(150))
def test_without_tolerance_polygons_are_lossless_on_any_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 14, 2)) < rng.uniform(0.05, 0.95)
    mask[0, 0] = True
    traced = trace(mask, 0)
    filled = without_holes(mask)
    np.testing.assert_array_equal(rasterise(traced.points, mask.shape), filled)
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    left, top, width, height = traced.bounding_box
    assert (left, left + width, top, top + height) == (columns[0], columns[-1] + 1, rows[0], rows[-1] + 1)
    assert traced.area == pytest.approx(filled.sum() - len(traced.points) / 2)  # each loses an eighth at four corners


@pytest.mark.parametrize("shape", [(400, 600), (1500, 2000)])
def test_with_the_tolerance_few_pixels_along_the_outline_change_and_half_the_points_go(shape):
    mask = ragged(*shape)
    exact, traced = trace(mask, 0), trace(mask)
    changed = np.count_nonzero(rasterise(traced.points, shape) != without_holes(mask))
    outline = sum(map(len, exact.points)) / 2
    assert changed < 0.12 * outline
    assert changed < 0.001 * mask.sum()
    assert sum(map(len, traced.points)) / 2 < 0.65 * outline
    assert traced.area == pytest.approx(mask.sum(), rel=0.0005)


def test_no_pixel_is_further_from_the_simplified_outline_than_the_tolerance():
    mask = ragged(300, 400)
    exact, traced = (trace(mask, tolerance).points[0] for tolerance in (0, TOLERANCE))
    polygon = np.array(traced, np.float32).reshape(-1, 1, 2)
    distances = [abs(cv2.pointPolygonTest(polygon, point, True)) for point in zip(exact[::2], exact[1::2], strict=True)]
    assert max(distances) <= TOLERANCE + 1e-5


@pytest.mark.parametrize("place", [(2, slice(None)), (slice(None), 3)])
def test_what_is_as_thin_as_a_pixel_does_not_collapse(place):
    mask = pixel(9, 9, place)
    np.testing.assert_array_equal(rasterise(trace(mask).points, mask.shape), mask)


def test_a_diagonal_line_keeps_its_pixels():
    mask = np.eye(12, dtype=bool)
    np.testing.assert_array_equal(rasterise(trace(mask).points, mask.shape), mask)


def test_the_whole_picture_reaches_its_edges():
    traced = trace(np.ones((20, 30), bool))
    assert traced.bounding_box == (0, 0, 30, 20)
    assert rasterise(traced.points, (20, 30)).all()


def test_holes_are_not_in_the_polygons_and_regions_are_one_each():
    mask = pixel(20, 40, (slice(2, 12), slice(2, 12)), (slice(5, 9), slice(20, 30)))
    mask[5:8, 5:8] = False
    traced = trace(mask, 0)
    assert len(traced.points) == 2
    assert traced.area == 100 + 40 - 2 * 0.5


def test_nothing_found_is_no_polygon():
    assert trace(np.zeros((9, 9), bool)) is None


def test_file_is_coco(tmp_path):
    path = tmp_path / "new" / "coco.json"
    file = CocoFile(path, OUT)
    mask = pixel(50, 80, (slice(10, 30), slice(40, 60)))
    file.add(*named("sub/a.jpg"), 80, 50, trace(mask))
    file.add(*named("nothing.jpg"), 30, 20, None)
    file.add(*named("ä.jpg"), 80, 50, trace(mask))
    assert not path.exists()
    file.write()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["categories"] == [{"id": 1, "name": "lesion", "supercategory": "skin"}]
    names = ("sub/a.jpg", "nothing.jpg", "ä.jpg")
    assert [(image["id"], image["file_name"]) for image in content["images"]] == list(enumerate(names, start=1))
    about = [(image["width"], image["height"], image["mask"], image["mask_digest"]) for image in content["images"]]
    assert about == [
        (80, 50, "masks/sub/a.jpg", "1-ab"),
        (30, 20, "masks/nothing.jpg", "1-ab"),
        (80, 50, "masks/ä.jpg", "1-ab"),
    ]
    assert [(a["id"], a["image_id"], a["category_id"], a["iscrowd"]) for a in content["annotations"]] == [
        (1, 1, 1, 0),
        (2, 3, 1, 0),
    ]
    annotation = content["annotations"][0]
    assert annotation["bbox"] == [40, 10, 20, 20]
    assert annotation["area"] == pytest.approx(400, abs=1)
    assert all(len(points) >= 6 and len(points) % 2 == 0 for points in annotation["segmentation"])
    np.testing.assert_array_equal(rasterise(annotation["segmentation"], (50, 80)), mask)
    assert [entry.name for entry in path.parent.iterdir()] == ["coco.json"]


def test_file_without_a_picture_is_valid(tmp_path):
    CocoFile(tmp_path / "coco.json", OUT).write()
    content = json.loads((tmp_path / "coco.json").read_text())
    assert (content["images"], content["annotations"]) == ([], [])


def added(path, names, mask):
    file = CocoFile(path, OUT)
    for name in names:
        file.add(*named(name), 9, 9, trace(mask))
    return file


def killed(file):
    """What the system does with the locks of a process that is killed."""
    file._lock.release()


def test_an_interrupted_run_is_gone_on_with_wherever_it_was_cut(tmp_path):
    mask, names = pixel(9, 9, (3, slice(2, 6))), ["a.jpg", 'b,"lesion":\n.jpg', "c\udcff.jpg"]
    path, waiting = tmp_path / "coco.json", tmp_path / ".coco.json.lines"
    killed(added(path, names, mask))
    lines = waiting.read_bytes()
    added(path, names, mask).write()
    whole = path.read_bytes()
    for cut in range(0, len(lines), 11):
        path.unlink()
        waiting.write_bytes(lines[:cut])
        added(path, names, mask).write()
        assert path.read_bytes() == whole
    assert [image["file_name"] for image in json.loads(whole)["images"]] == names


def test_a_finished_file_is_gone_on_with_and_pictures_are_replaced(tmp_path):
    path = tmp_path / "coco.json"
    added(path, ["a.jpg", "b.jpg"], pixel(9, 9, (1, 1))).write()
    file = CocoFile(path, OUT)
    assert file.holds(*named("a.jpg"), 9, 9)
    assert not file.holds(*named("a.jpg", digest="1-cd"), 9, 9)
    assert not file.holds(*named("c.jpg"), 9, 9)
    file.forget([OUT / "a.jpg"])
    assert not file.holds(*named("a.jpg"), 9, 9)
    file.add(*named("a.jpg"), 9, 9, None)
    file.add(*named("b.jpg"), 9, 9, None)  # it is there
    file.add(*named("c.jpg"), 9, 9, trace(pixel(9, 9, (4, 4))))
    file.write()
    content = json.loads(path.read_text())
    assert [image["file_name"] for image in content["images"]] == ["b.jpg", "a.jpg", "c.jpg"]
    assert [(entry["image_id"], entry["bbox"]) for entry in content["annotations"]] == [
        (1, [1, 1, 1, 1]),
        (3, [4, 4, 1, 1]),
    ]


def test_a_mask_s_picture_is_there_once_however_it_is_spelled_and_with_its_latest_outline(tmp_path):
    path = tmp_path / "coco.json"
    added(path, ["a.jpg", "b.jpg"], pixel(9, 9, (1, 1))).write()
    file = CocoFile(path, OUT.absolute())
    file.add(Path("../x/a.jpg"), OUT.absolute() / "a.jpg", "1-ab", 9, 9, trace(pixel(9, 9, (4, 4))))
    file.add(*named("b.jpg", digest="1-cd"), 9, 9, trace(pixel(9, 9, (5, 5))))
    file.write()
    content = json.loads(path.read_text())
    assert [image["file_name"] for image in content["images"]] == ["../x/a.jpg", "b.jpg"]
    assert [entry["bbox"] for entry in content["annotations"]] == [[4, 4, 1, 1], [5, 5, 1, 1]]
    assert [entry.name for entry in tmp_path.iterdir()] == ["coco.json"]


def test_a_kill_while_a_finished_file_is_taken_up_again_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "coco.json"
    added(path, ["a.jpg", "b.jpg"], pixel(9, 9, (1, 1))).write()
    whole = path.read_bytes()

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", kill)
    with pytest.raises(KeyboardInterrupt):
        CocoFile(path, OUT)
    monkeypatch.undo()
    assert path.read_bytes() == whole
    killed(CocoFile(path, OUT))
    path.unlink()  # the lines alone are enough
    CocoFile(path, OUT).write()
    assert path.read_bytes() == whole


def test_one_process_at_a_time_writes_a_file(tmp_path):
    file = CocoFile(tmp_path / "coco.json", OUT)
    with pytest.raises(LesionctlError, match=r"another process is writing .*coco\.json"):
        CocoFile(tmp_path / "coco.json", OUT)
    file.write()
    CocoFile(tmp_path / "coco.json", OUT).write()


@pytest.mark.parametrize("content", ["", "[]", '{"categories": [{"id": 1, "name": "cat"}]}', "\N{SNOWMAN}"])
def test_another_file_is_refused_and_left_as_it_is(content, tmp_path):
    path = tmp_path / "coco.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="is no COCO file of this program"):
        CocoFile(path, OUT)
    assert path.read_text(encoding="utf-8") == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    file = CocoFile(tmp_path / "coco.json", OUT)
    (tmp_path / "coco.json").mkdir()
    with pytest.raises(LesionctlError, match=r"coco\.json cannot be written"):
        file.write()


def test_the_format_can_be_cited():
    assert load_citations()["lin2014"].year == 2014
