"""Figures of shapes whose figures are known, at any size, angle and place."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from lesionctl.citations import load_citations
from lesionctl.imaging import measures
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.measures import COLOUR_SHARE, COLOURS, Measures, measure
from lesionctl.imaging.resize_rule import ResizeRule

SIZE = 64  # of the network's view
ANGLES = [0, 17, 30, 45, 61, 90]


def figures(mask, view=None, rule=ResizeRule.SQUASH):
    view = np.full((SIZE, SIZE, 3), COLOURS["dark brown"], np.uint8) if view is None else view
    return measure(mask, view, Frame.fit(*mask.shape, SIZE, rule))


def grid(size, angle=0.0, shape=None):
    """Of the pixels' centres, x and y from the picture's centre, in halves of its side, turned by degrees."""
    height, width = shape or (size, size)
    y, x = np.mgrid[:height, :width] + 0.5
    x, y, a = 2 * x / size - width / size, 2 * y / size - height / size, math.radians(angle)
    return x * math.cos(a) + y * math.sin(a), y * math.cos(a) - x * math.sin(a)


def ellipse(size, angle=0.0, axes=(0.9, 0.45)):
    x, y = grid(size, angle)
    return (x / axes[0]) ** 2 + (y / axes[1]) ** 2 < 1


def square(size, angle=0.0):
    x, y = grid(size, angle)
    return np.maximum(abs(x), abs(y)) < 0.6


def half_disc(size, angle=0.0):
    x, y = grid(size, angle)
    return (np.hypot(x, y) < 0.9) & (y > 0)


def triangle(size, angle=0.0):
    """An equilateral one."""
    sides = (grid(size, angle + turn)[0] < 0.44 for turn in (0, 120, 240))
    return np.logical_and.reduce(list(sides))


def ragged(size, seed=0):
    """A disc with a border as networks draw it: at 320 pixels, then enlarged."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(320, 320)), (0, 0), 8)
    x, y = grid(320)
    smooth = (0.66 - np.hypot(x, y) + 0.06 * noise / noise.std()).astype(np.float32)
    return cv2.resize(smooth, (size, size), interpolation=cv2.INTER_LINEAR) > 0


def mirrored_share(mask, angle):
    """Pixel by pixel: the share of the lesion whose mirror image at an axis through the centroid is no lesion."""
    rows, columns = np.nonzero(mask)
    x, y, a = columns - columns.mean(), rows - rows.mean(), 2 * math.radians(angle)
    there = np.rint(x * math.cos(a) + y * math.sin(a) + columns.mean()).astype(int)
    below = np.rint(x * math.sin(a) - y * math.cos(a) + rows.mean()).astype(int)
    inside = (there >= 0) & (there < mask.shape[1]) & (below >= 0) & (below < mask.shape[0])
    hit = np.zeros(len(rows), bool)
    hit[inside] = mask[below[inside], there[inside]]
    return 1 - hit.mean()


def test_place_and_size_of_a_rectangle_are_exact():
    mask = np.zeros((50, 80), bool)
    mask[10:30, 40:72] = True
    found = figures(mask)
    assert (found.lesion_pixels, found.lesion_percent, found.regions) == (640, 16.0, 1)
    assert found.bounding_box == (40, 10, 72, 30)
    assert found.centroid == (56.0, 20.0)
    assert found.diameter == pytest.approx(math.hypot(32, 20))


def test_nothing_found_has_no_figures():
    assert figures(np.zeros((40, 60), bool)) == Measures(0, 0.0, 0, None, None, None, None, None, None)


def test_one_pixel():
    mask = np.zeros((30, 40), bool)
    mask[5, 7] = True
    found = figures(mask, rule=ResizeRule.PAD)
    assert (found.lesion_pixels, found.bounding_box, found.centroid) == (1, (7, 5, 8, 6), (7.5, 5.5))
    assert found.diameter == pytest.approx(math.sqrt(2))
    assert (found.asymmetry, found.border_irregularity) == (0, 1)


def test_whole_picture():
    found = figures(np.ones((300, 500), bool))
    assert (found.lesion_percent, found.bounding_box, found.centroid) == (100, (0, 0, 500, 300), (250, 150))
    assert found.diameter == pytest.approx(math.hypot(300, 500))
    assert found.asymmetry == pytest.approx(0, abs=0.005)
    assert found.border_irregularity == pytest.approx(1600**2 / (4 * math.pi * 150000), rel=0.02)  # 1.358


@pytest.mark.parametrize("size", [200, 700, 2000])
def test_disc_is_symmetric_and_regular_at_any_size(size):
    found = figures(ellipse(size, axes=(0.9, 0.9)))
    assert found.diameter == pytest.approx(0.9 * size, rel=0.01)
    assert found.asymmetry == pytest.approx(0, abs=0.005)
    assert found.border_irregularity == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("size", [200, 1500])
@pytest.mark.parametrize(
    ("shape", "asymmetry", "irregularity", "diameter"),
    [
        (ellipse, 0, 1.189, 0.9),  # perimeter 9.688 · b at half axes of 2 b and b
        (square, 0, 4 / math.pi, 0.6 * math.sqrt(2)),
        (half_disc, 0.094, (math.pi + 2) ** 2 / (2 * math.pi**2), 0.9),
        (triangle, 1 / 6, 3 * math.sqrt(3) / math.pi, 0.44 * math.sqrt(3)),  # a star of six shares 2/3 with it
    ],
)
def test_known_shapes_at_any_angle_and_size(shape, asymmetry, irregularity, diameter, angle, size):
    found = figures(shape(size, angle))
    assert found.asymmetry == pytest.approx(asymmetry, abs=0.012)
    assert found.border_irregularity == pytest.approx(irregularity, rel=0.045 if size == 200 else 0.02)
    assert found.diameter == pytest.approx(diameter * size, abs=2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_asymmetry_is_that_of_the_best_pair_of_axes(seed):
    mask = ragged(300, seed)
    by_hand = min((mirrored_share(mask, a) + mirrored_share(mask, a + 90)) / 2 for a in range(0, 90, 2))
    assert figures(mask).asymmetry == pytest.approx(by_hand, abs=0.01)


def test_asymmetry_of_a_half_disc_by_hand():
    mask = half_disc(400)
    assert mirrored_share(mask, 90) == pytest.approx(0, abs=0.01)
    assert mirrored_share(mask, 0) / 2 == pytest.approx(0.094, abs=0.005)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_large_masks_are_looked_at_in_fewer_points_and_hardly_change(seed, monkeypatch):
    mask = ragged(1600, seed)
    coarse = figures(mask)
    monkeypatch.setattr(measures, "_SIDE", 4000)
    fine = figures(mask)
    assert coarse.asymmetry == pytest.approx(fine.asymmetry, abs=0.005)
    assert coarse.border_irregularity == pytest.approx(fine.border_irregularity, rel=0.03)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_lesion_has_the_same_figures_at_any_resolution(seed):
    small, large = figures(ragged(640, seed)), figures(ragged(2400, seed))
    assert small.asymmetry == pytest.approx(large.asymmetry, abs=0.005)
    assert small.border_irregularity == pytest.approx(large.border_irregularity, rel=0.03)
    assert small.lesion_percent == pytest.approx(large.lesion_percent, rel=0.01)


def test_holes_are_no_border():
    x, y = grid(300)
    ring = (np.hypot(x, y) < 0.9) & (np.hypot(x - 0.2, y) > 0.4)
    found = figures(ring)
    assert found.regions == 1
    assert found.lesion_pixels == np.count_nonzero(ring)
    assert found.border_irregularity == pytest.approx(1, abs=0.005)
    assert found.asymmetry == pytest.approx(0, abs=0.005)


def test_two_regions_are_measured_together():
    x, y = grid(400)
    two = (np.hypot(x - 0.5, y) < 0.3) | (np.hypot(x + 0.5, y) < 0.3)
    found = figures(two)
    assert found.regions == 2
    assert found.centroid == (200, 200)
    assert found.diameter == pytest.approx(320, abs=1)
    assert found.border_irregularity == pytest.approx(2, abs=0.02)  # (2 p)² / (2 a)
    assert found.asymmetry == pytest.approx(0, abs=0.01)


def test_pixels_that_touch_by_a_corner_are_one_region():
    mask = np.zeros((9, 9), bool)
    mask[2, 2] = mask[3, 3] = mask[7, 7] = True
    assert figures(mask).regions == 2


def test_specks_that_are_too_thin_have_size_and_place_but_no_shape():
    mask = np.zeros((4000, 3000), bool)
    mask[0, 0] = mask[-1, -1] = True
    found = figures(mask)
    assert (found.lesion_pixels, found.regions, found.diameter) == (2, 2, 5000)
    assert (found.asymmetry, found.border_irregularity) == (None, None)


def test_a_line_as_thin_as_a_pixel_is_measured():
    mask = np.zeros((3, 2000), bool)
    mask[1] = True
    found = figures(mask)
    assert found.diameter == pytest.approx(2000, abs=0.01)
    assert found.border_irregularity > 5


@pytest.mark.parametrize("rule", list(ResizeRule))
@pytest.mark.parametrize("shape", [(300, 300), (120, 700), (700, 120)])
def test_colours_are_those_of_the_lesion_whatever_the_picture_s_shape(rule, shape):
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : -(shape[0] // 4), shape[1] // 4 : -(shape[1] // 4)] = True
    image = np.full((*shape, 3), COLOURS["white"], np.uint8)
    inner = image[shape[0] // 8 : -(shape[0] // 8), shape[1] // 8 : -(shape[1] // 8)]  # no pixel mixes lesion and white
    inner[:] = COLOURS["dark brown"]
    half = inner[: len(inner) // 2] if shape[0] > shape[1] else inner[:, : inner.shape[1] // 2]
    half[:] = COLOURS["blue-grey"]
    view = Frame.fit(*shape, SIZE, rule).shrink(image)
    assert figures(mask, view, rule).colours == ("dark brown", "blue-grey")


def test_each_reference_colour_is_itself():
    for name, colour in COLOURS.items():
        view = np.full((SIZE, SIZE, 3), colour, np.uint8)
        assert figures(np.ones((90, 90), bool), view).colours == (name,)


@pytest.mark.parametrize(("rows", "is_counted"), [(3, False), (4, True)])
def test_a_colour_counts_from_one_in_twenty_pixels_on(rows, is_counted):
    view = np.full((SIZE, SIZE, 3), COLOURS["light brown"], np.uint8)
    view[:rows] = COLOURS["black"]
    assert (rows / SIZE >= COLOUR_SHARE) is is_counted
    assert ("black" in figures(np.ones((SIZE, SIZE), bool), view).colours) is is_counted


@pytest.mark.parametrize("key", ["nachbar1994", "stoecker1992", "golston1992", "fleming1960", "kasmi2016"])
def test_what_the_figures_come_from_can_be_cited(key):
    assert key in load_citations()
