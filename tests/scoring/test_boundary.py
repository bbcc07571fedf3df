"""Boundary figures: by hand, against MONAI, and against the definition of boundary IoU step by step."""

from __future__ import annotations

import math
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lesionctl.scoring.boundary import BAND, boundary_figures
from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES, Tolerance

H, W = 120, 160  # its diagonal is 200 pixels, and the band of boundary IoU 4


def box(top, left, height, width, shape=(H, W)):
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def figures(prediction, truth, *tolerances):
    return boundary_figures(prediction, truth, [Tolerance.parse(text) for text in tolerances])


def test_names_of_the_figures():
    names = list(boundary_figures(box(1, 1, 5, 5), box(1, 1, 5, 5)))
    assert names == ["hd95", "hd95_percent", "assd", "assd_percent", "nsd_5px", "nsd_5pct", "boundary_iou"]


@pytest.mark.parametrize("mask", [box(30, 40, 20, 20), box(5, 5, 1, 1), box(0, 0, H, W), box(0, 0, 1, W)])
def test_a_mask_is_no_distance_from_itself(mask):
    expected = {"hd95": 0, "hd95_percent": 0, "assd": 0, "assd_percent": 0, "nsd_0px": 1, "boundary_iou": 1}
    assert figures(mask, mask, "0px") == expected


def test_two_pixels_by_hand():
    # Three right and four down: 5 pixels. A lesion of one pixel is 2 / sqrt(pi) across.
    diameter = 2 / math.sqrt(math.pi)
    result = figures(box(14, 13, 1, 1), box(10, 10, 1, 1), "5px", "4.99px", "443.2%", "443%")
    assert result == pytest.approx(
        {
            "hd95": 5,
            "hd95_percent": 500 / diameter,  # 443.1
            "assd": 5,
            "assd_percent": 500 / diameter,
            "nsd_5px": 1,  # up to the tolerance counts
            "nsd_4.99px": 0,
            "nsd_443.2pct": 1,
            "nsd_443pct": 0,
            "boundary_iou": 0,
        },
        abs=1e-12,
    )


def test_square_shifted_by_three_pixels_by_hand():
    # Of the 76 outline pixels of the left square, the 20 of its left side are 3 from the other's left side. Of its
    # upper and lower sides, the first two pixels are 2 and 1 from the other's corner, and 17 lie on its sides. The 18
    # between the corners on the right are within the other square: 1 or 2 from its upper or lower side, or else 3 from
    # its right side. The same holds the other way round.
    truth, prediction = box(40, 50, 20, 20), box(40, 53, 20, 20)
    result = figures(prediction, truth, "0px", "1px", "2px", "3px", "10%")
    distances = [3] * 20 + [2, 1] * 2 + [0] * 34 + [1, 1, 2, 2] + [3] * 14
    assert len(distances) == 76
    assert result["hd95"] == 3
    assert result["assd"] == pytest.approx(sum(distances) / 76, abs=1e-12)  # 114 / 76 = 1.5
    assert result["assd"] == 1.5
    assert [result[f"nsd_{n}px"] for n in range(4)] == [34 / 76, 38 / 76, 42 / 76, 1]
    diameter = 2 * math.sqrt(400 / math.pi)  # 22.57 pixels, of which 10 % are 2.257
    assert result["nsd_10pct"] == 42 / 76
    assert result["hd95_percent"] == pytest.approx(300 / diameter, abs=1e-12)
    assert result["assd_percent"] == pytest.approx(150 / diameter, abs=1e-12)
    # Bands 4 wide: 20² - 12² = 256 pixels each. In both: the overlap of 20 x 17 less the union of the holes of 12 x 12,
    # shifted by 3, within it: 12 x 15 = 180, so 340 - 180 = 160.
    assert result["boundary_iou"] == pytest.approx(160 / (256 + 256 - 160), abs=1e-12)


def test_square_within_a_square_by_hand():
    # 10 x 10 in the middle of 20 x 20: from the 36 inner pixels it is 5 outwards. Of the 76 outer ones the middle 10 of
    # each side are 5 away, those 1 to 5 beyond sqrt(25 + n²).
    truth, prediction = box(40, 40, 20, 20), box(45, 45, 10, 10)
    outer = [5.0] * 40 + [math.sqrt(25 + n * n) for n in range(1, 5) for _ in range(8)] + [math.sqrt(50)] * 4
    result = figures(prediction, truth, "5px", "6px")
    assert result["assd"] == pytest.approx((36 * 5 + sum(outer)) / (36 + 76), abs=1e-12)
    assert result["hd95"] == pytest.approx(np.percentile(outer, 95), abs=1e-12)  # from the truth, the larger of the two
    assert result["hd95"] == pytest.approx(math.sqrt(41) + 0.25 * (math.sqrt(50) - math.sqrt(41)), abs=1e-12)
    assert result["nsd_5px"] == (36 + 40) / 112
    assert result["nsd_6px"] == (36 + 40 + 8 * 3) / 112  # sqrt(26), sqrt(29) and sqrt(34); sqrt(41) is above
    # The truth's band is 4 wide and ends beside the prediction's: no pixel in common.
    assert result["boundary_iou"] == 0


def test_the_pictures_border_is_an_outline():
    # A full picture is outlined by its border: 2 * (120 + 160) - 4 = 556 pixels. The half is 80 wide: 396 pixels.
    full, half = box(0, 0, H, W), box(0, 0, H, W // 2)
    result = figures(half, full, "0px")
    # On the other outline are all but: of the half's right side 118; of the full one 80 + 80 + 118 on the right.
    assert result["nsd_0px"] == (396 - 118 + 556 - 80 - 80 - 118) / (396 + 556)
    # Bands 4 wide: 120 * 160 - 112 * 152 = 2176 and 120 * 80 - 112 * 72 = 1536; in both 1536 less 4 * 112 on the right.
    assert result["boundary_iou"] == pytest.approx(1088 / (2176 + 1536 - 1088), abs=1e-12)


def test_both_empty_is_right():
    empty = np.zeros((H, W), bool)
    expected = {"hd95": 0, "hd95_percent": 0, "assd": 0, "assd_percent": 0, "nsd_5px": 1, "nsd_2pct": 1}
    assert figures(empty, empty, "5px", "2%") == {**expected, "boundary_iou": 1}


def test_empty_prediction_is_the_pictures_diagonal_away():
    empty, truth = np.zeros((H, W), bool), box(10, 10, 30, 40)
    percent = 100 * 200 / (2 * math.sqrt(1200 / math.pi))  # 511.7
    expected = {"hd95": 200, "hd95_percent": percent, "assd": 200, "assd_percent": percent}
    expected |= {"nsd_5px": 0, "nsd_2pct": 0, "boundary_iou": 0}
    assert figures(empty, truth, "5px", "2%") == pytest.approx(expected, abs=1e-9)


def test_prediction_where_there_is_no_lesion_is_a_whole_diagonal_off():
    empty, prediction = np.zeros((H, W), bool), box(10, 10, 30, 40)
    expected = {"hd95": 200, "hd95_percent": 100, "assd": 200, "assd_percent": 100}
    expected |= {"nsd_5px": 0, "nsd_999pct": 0, "boundary_iou": 0}
    assert figures(prediction, empty, "5px", "999%") == expected


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        boundary_figures(box(0, 0, 1, 1), box(0, 0, 1, 1, shape=(H, W + 1)))


ANY_SHAPE = st.tuples(st.integers(3, 90), st.integers(3, 90))
LARGE = st.tuples(st.integers(300, 500), st.integers(300, 500))


@st.composite
def blobs(draw, shapes=ANY_SHAPE, noises=(0, 0, 0.02, 0.4)):
    """A pair of masks of discs and holes, alike or not, smooth or ragged, perhaps over the picture's border."""
    height, width = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y, x = np.mgrid[:height, :width]

    def discs():
        mask = np.zeros((height, width), bool)
        for lesion in (True, True, False):
            centre, radius = rng.random(2) * (height, width), rng.random() * min(height, width) / 2
            mask[np.hypot(y - centre[0], x - centre[1]) < radius] = lesion
        return mask

    truth = discs()
    prediction = np.roll(truth, rng.integers(-3, 4, 2), (0, 1)) if draw(st.booleans()) else discs()
    noise = draw(st.sampled_from(noises))
    return prediction ^ (rng.random((height, width)) < noise), truth ^ (rng.random((height, width)) < noise)


TOLERANCES = (0.0, 1.0, 2.5, 5.0)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy")  # MONAI's own
@given(blobs() | blobs(LARGE, noises=[0]))  # ragged ones and smooth ones: two ways to find distances
def test_distances_agree_with_monai(pair):
    metrics = pytest.importorskip("monai.metrics", reason="the second library is not installed")
    prediction, truth = pair
    assume(prediction.any() and truth.any())
    tensors = [torch.from_numpy(mask.astype(np.float32))[None, None] for mask in pair]
    result = boundary_figures(prediction, truth, [Tolerance(t, "px") for t in TOLERANCES])
    # MONAI's results are float32.
    near = {"rel": 1e-5, "abs": 1e-5}
    assert result["hd95"] == pytest.approx(
        metrics.compute_hausdorff_distance(*tensors, include_background=True, percentile=95).item(), **near
    )
    # Symmetric there is the mean over the distances of both boundaries together, as here.
    assert result["assd"] == pytest.approx(
        metrics.compute_average_surface_distance(*tensors, include_background=True, symmetric=True).item(), **near
    )
    for tolerance in TOLERANCES:
        expected = metrics.compute_surface_dice(*tensors, class_thresholds=[tolerance], include_background=True).item()
        assert result[Tolerance(tolerance, "px").name] == pytest.approx(expected, **near)


def band_step_by_step(mask, width):
    """The lesion pixels within `width` of the outside: what is left after taking the outermost away so many times."""
    inside = np.pad(mask, 1)
    for _ in range(width):
        smaller = inside.copy()
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                smaller[1:-1, 1:-1] &= np.roll(inside, (dy, dx), (0, 1))[1:-1, 1:-1]
        inside = smaller
    return mask & ~inside[1:-1, 1:-1]


@given(blobs(st.sampled_from([(20, 30), (70, 80), (110, 90), (200, 160)])))
def test_boundary_iou_agrees_with_its_definition_step_by_step(pair):
    prediction, truth = pair
    width = max(1, round(BAND * math.hypot(*truth.shape)))  # 1, 2, 3 and 5 pixels
    bands = [band_step_by_step(mask, width) for mask in pair]
    union = np.count_nonzero(bands[0] | bands[1])
    expected = np.count_nonzero(bands[0] & bands[1]) / union if union else 1
    assert boundary_figures(prediction, truth)["boundary_iou"] == pytest.approx(expected, abs=1e-12)


@given(blobs(), st.integers(0, 30), st.integers(0, 30))
def test_what_lies_around_both_masks_changes_no_distance(pair, above, beside):
    prediction, truth = pair
    assume(prediction.any() and truth.any())
    wider = boundary_figures(*(np.pad(mask, ((above, 3), (beside, 0))) for mask in pair))
    result = boundary_figures(prediction, truth)
    assert {name: wider[name] for name in wider if name != "boundary_iou"} == {
        name: result[name] for name in result if name != "boundary_iou"
    }


@given(blobs())
def test_turned_and_exchanged_masks_give_the_same_figures(pair):
    prediction, truth = pair
    result = figures(prediction, truth, "2px")
    turned = figures(prediction.T[::-1], truth.T[::-1], "2px")
    assert turned == pytest.approx(result, rel=1e-12)
    exchanged = figures(truth, prediction, "2px")
    same = ("hd95", "assd", "nsd_2px", "boundary_iou")
    assert [exchanged[name] for name in same] == pytest.approx([result[name] for name in same], rel=1e-12)


@pytest.mark.parametrize("share", [0.003, 0.5], ids=["sparse", "dense"])
def test_distances_are_exact_however_they_are_found(share):
    """Against all pairs of outline pixels, where few outline pixels call for one way and many for another."""
    rng = np.random.default_rng(0)
    masks = [rng.random((40, 100)) < share for _ in range(2)]
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    points = []
    for mask in masks:
        inner = cv2.erode(np.pad(mask, 1).astype(np.uint8), cross)[1:-1, 1:-1] > 0
        points.append(np.argwhere(mask & ~inner).astype(np.float64))
    distances = np.sqrt(((points[0][:, None] - points[1][None]) ** 2).sum(-1))
    there, back = distances.min(1), distances.min(0)
    result = boundary_figures(*masks, [Tolerance(math.sqrt(5), "px")])
    assert result["hd95"] == max(np.percentile(there, 95), np.percentile(back, 95))
    assert result["assd"] == pytest.approx(np.concatenate([there, back]).mean(), abs=1e-12)
    near = np.count_nonzero(there <= math.sqrt(5)) + np.count_nonzero(back <= math.sqrt(5))
    assert result[Tolerance(math.sqrt(5), "px").name] == near / (there.size + back.size)


@pytest.mark.parametrize(
    ("text", "expected", "name", "shown"),
    [
        ("5px", Tolerance(5, "px"), "nsd_5px", "5 px"),
        ("2%", Tolerance(2, "%"), "nsd_2pct", "2 %"),
        ("2.5%", Tolerance(2.5, "%"), "nsd_2.5pct", "2.5 %"),
        ("2.50 %", Tolerance(2.5, "%"), "nsd_2.5pct", "2.5 %"),
        (" 10 PX ", Tolerance(10, "px"), "nsd_10px", "10 px"),
        ("0px", Tolerance(0, "px"), "nsd_0px", "0 px"),
        ("1000px", Tolerance(1000, "px"), "nsd_1000px", "1000 px"),
    ],
)
def test_tolerances_as_written_named_and_shown(text, expected, name, shown):
    tolerance = Tolerance.parse(text)
    assert tolerance == expected
    assert (tolerance.name, str(tolerance)) == (name, shown)


@pytest.mark.parametrize("text", ["", "5", "px", "%", "-5px", "5mm", "5 px 2", "nanpx", "infpx", "1e3px", "5,5px"])
def test_what_is_no_tolerance_is_refused(text):
    with pytest.raises(ValueError, match="is no tolerance: give pixels or per cent"):
        Tolerance.parse(text)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_a_tolerance_is_a_number_from_zero(value):
    with pytest.raises(ValueError, match="a tolerance is 0 or more"):
        Tolerance(value, "px")


def test_tolerance_in_pixels():
    assert Tolerance(5, "px").pixels(80) == 5
    assert Tolerance(5, "%").pixels(80) == 4
    assert [str(tolerance) for tolerance in DEFAULT_TOLERANCES] == ["5 px", "5 %"]


def test_what_scores_is_imported_without_scipy():
    """It takes longer than all the rest, and only smooth outlines need it."""
    code = "import sys, lesionctl.evaluate.scoring; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
