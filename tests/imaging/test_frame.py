"""The geometry between a picture and the network's square: there and back, at the right place."""

from __future__ import annotations

import io
import math
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from lesionctl.imaging.decode import decode_bytes
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule

SQUASH, PAD = ResizeRule.SQUASH, ResizeRule.PAD

sides = st.integers(1, 300)
sizes = st.sampled_from([16, 33, 64])
rules = st.sampled_from(list(ResizeRule))


@pytest.mark.parametrize(
    ("height", "width", "rule", "place"),
    [
        (100, 200, SQUASH, (0, 0, 64, 64)),
        (100, 200, PAD, (16, 0, 32, 64)),  # scale 64/200: 32 rows, 16 black above and below
        (200, 100, PAD, (0, 16, 64, 32)),
        (100, 100, PAD, (0, 0, 64, 64)),
        (75, 100, PAD, (8, 0, 48, 64)),
        (30, 40, PAD, (8, 0, 48, 64)),  # small pictures are enlarged
        (3, 1000, PAD, (31, 0, 1, 64)),  # 0.19 rows become one
    ],
)
def test_place_in_the_square(height, width, rule, place):
    frame = Frame.fit(height, width, 64, rule)
    assert (frame.top, frame.left, frame.rows, frame.columns) == place
    assert (frame.height, frame.width, frame.size) == (height, width, 64)


@given(sides, sides, sizes, rules)
def test_there_and_back_has_the_sizes_that_are_promised(height, width, size, rule):
    frame = Frame.fit(height, width, size, rule)
    image = np.full((height, width, 3), 200, np.uint8)
    view = frame.shrink(image)
    assert view.shape == (size, size, 3)
    assert view.dtype == np.uint8
    restored = frame.restore(view[..., 0].astype(np.float32) / 255)
    assert restored.shape == (height, width)
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, 200 / 255, atol=1e-5)  # no black of the padding leaks in


@given(sides, sides, sizes, rules)
def test_all_true_mask_is_true_on_the_picture_and_false_on_the_padding(height, width, size, rule):
    frame = Frame.fit(height, width, size, rule)
    shrunk = frame.shrink_mask(np.ones((height, width), bool))
    assert shrunk.dtype == np.bool_
    expected = np.zeros((size, size), bool)
    expected[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns] = True
    np.testing.assert_array_equal(shrunk, expected)


@given(st.integers(20, 300), st.integers(20, 300), sizes, rules)
def test_rectangle_keeps_its_place_within_a_pixel_of_the_network(height, width, size, rule):
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    frame = Frame.fit(height, width, size, rule)
    if min(frame.rows, frame.columns) < 8:  # too thin for a rectangle of half its height
        return
    restored = frame.restore(frame.shrink_mask(mask).astype(np.float32)) > 0.5
    for axis, cell in ((1, height / frame.rows), (0, width / frame.columns)):
        lines, restored_lines = (np.flatnonzero(m.any(axis=axis)) for m in (mask, restored))
        tolerance = max(1, math.ceil(cell))
        assert abs(lines[0] - restored_lines[0]) <= tolerance
        assert abs(lines[-1] - restored_lines[-1]) <= tolerance


@given(sides, sides, sizes, rules, st.integers(0, 2**32 - 1))
def test_restored_probabilities_stay_between_zero_and_one(height, width, size, rule, seed):
    probability = np.random.default_rng(seed).integers(0, 2, (size, size)).astype(np.float32)
    restored = Frame.fit(height, width, size, rule).restore(probability)
    assert restored.min() >= 0
    assert restored.max() <= 1


@pytest.mark.parametrize(
    ("covered", "expected"),
    [(0, False), (1, False), (2, True), (3, True), (4, True)],
)
def test_pixel_of_the_mask_is_true_where_the_lesion_covers_at_least_half(covered, expected):
    mask = np.zeros((4, 4), bool)
    mask[[0, 0, 1, 1][:covered], [0, 1, 0, 1][:covered]] = True
    assert Frame.fit(4, 4, 2, SQUASH).shrink_mask(mask).tolist() == [[expected, False], [False, False]]


def test_picture_of_the_squares_size_is_not_resampled():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(Frame.fit(64, 64, 64, SQUASH).shrink(image), image)


def test_shrinking_averages_what_a_pixel_covers():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [[[0] * 3, [40] * 3], [[80] * 3, [120] * 3]]
    assert Frame.fit(4, 4, 2, SQUASH).shrink(image)[..., 0].tolist() == [[60, 0], [0, 0]]


def test_padding_is_black():
    view = Frame.fit(100, 200, 64, PAD).shrink(np.full((100, 200, 3), 200, np.uint8))
    assert (view[:16] == 0).all()
    assert (view[16:48] == 200).all()
    assert (view[48:] == 0).all()


@pytest.mark.parametrize("rule", ResizeRule)
def test_view_of_a_smaller_decoding_is_about_the_same(rule):
    y, x = np.mgrid[:480, :640]
    image = np.stack([x * 255 / 640, y * 255 / 480, (x + y) * 255 / 1120], axis=-1).astype(np.uint8)
    content = io.BytesIO()
    Pillow.fromarray(image).save(content, "JPEG", quality=95)
    decoded = decode_bytes(content.getvalue(), "x.jpg", at_least=64)
    assert decoded.image.shape == (120, 160, 3)
    frame = Frame.fit(480, 640, 64, rule)
    np.testing.assert_allclose(frame.shrink(decoded.image).astype(int), frame.shrink(image).astype(int), atol=6)


@pytest.mark.parametrize(("height", "width"), [(100, 200), (200, 100), (100, 100), (10, 2000)])
@pytest.mark.parametrize("rule", ResizeRule)
@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_probabilities_at_any_scale_are_brought_to_the_pictures_size(height, width, rule, side):
    frame = Frame.fit(height, width, 64, rule)
    restored = frame.restore(np.ones((side, side), np.float32))
    assert restored.shape == (height, width)
    assert (restored == 1).all()


def blob(size, seed=0, steepness=6.0):
    """Probabilities like a network's: a lesion with a ragged, more or less steep outline."""
    waves = np.random.default_rng(seed).normal(size=(6, 6)).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    field = 0.5 - np.hypot(x, y) + 0.15 * cv2.resize(waves, (size, size), interpolation=cv2.INTER_CUBIC)
    return (1 / (1 + np.exp(-steepness * field))).astype(np.float32)


def assert_same_mask(frame, probability, threshold):
    """Equal to comparing floats of the picture's size, but where those are a rounding error from the threshold."""
    restored, mask = frame.restore(probability), frame.restore_mask(probability, threshold)
    assert mask.dtype == np.bool_
    assert mask.shape == restored.shape == (frame.height, frame.width)
    different = mask != (restored > threshold)
    assert (np.abs(restored[different] - threshold) < 1e-6).all()
    return int(different.sum())


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    sizes,
    rules,
    st.sampled_from([0.0, 0.43, 0.5, 1 / 3, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_mask_is_that_of_the_restored_probabilities(height, width, size, rule, threshold, seed):
    noise = np.random.default_rng(seed).random((size, size), np.float32)
    frame = Frame.fit(height, width, size, rule)
    assert_same_mask(frame, noise, threshold)
    assert_same_mask(frame, np.float32(noise > 0.5), threshold)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.43, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(
    ("height", "width", "rule"),
    [(1200, 1600, SQUASH), (1600, 1200, PAD), (64, 64, SQUASH), (128, 128, SQUASH), (40, 30, SQUASH), (40, 30, PAD)],
)
def test_hardly_a_pixel_of_the_outline_differs_from_the_restored_probabilities(height, width, rule, threshold):
    frame = Frame.fit(height, width, 64, rule)
    different = [
        assert_same_mask(frame, blob(64, seed, steepness), threshold) for seed in range(5) for steepness in (6, 60)
    ]
    assert max(different) <= 1 + height * width * 2e-6


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 900), (900, 1), (3, 1000), (1000, 3), (5000, 16)])
@pytest.mark.parametrize("rule", ResizeRule)
def test_mask_of_a_sliver_is_that_of_the_restored_probabilities(height, width, rule):
    assert_same_mask(Frame.fit(height, width, 64, rule), blob(64), 0.5)


@pytest.mark.parametrize(("value", "expected"), [(0.43, False), (np.nextafter(np.float32(0.43), np.float32(1)), True)])
def test_what_equals_the_threshold_is_background_everywhere(value, expected):
    probability = np.full((64, 64), value, np.float32)
    for height, width in ((300, 700), (64, 64), (10, 20)):
        assert (Frame.fit(height, width, 64, SQUASH).restore_mask(probability, 0.43) == expected).all()


def test_line_between_two_rows_is_where_their_probabilities_cross_the_threshold():
    probability = np.array([[0.2, 0.2], [0.8, 0.8]], np.float32)
    frame = Frame.fit(40, 40, 2, SQUASH)
    # Rows 9.5 and 29.5 hold 0.2 and 0.8: row y holds 0.2 + 0.6 (y - 9.5) / 20, which is 0.5 at 19.5 and 0.35 at 14.5.
    assert frame.restore_mask(probability, 0.5).any(axis=1).argmax() == 20
    assert frame.restore_mask(probability, 0.35).any(axis=1).argmax() == 15
    assert frame.restore_mask(probability.T, 0.35).any(axis=0).argmax() == 15


@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("rule", ResizeRule)
def test_mask_is_made_of_probabilities_at_any_scale(side, rule):
    assert_same_mask(Frame.fit(300, 200, 64, rule), blob(side), 0.5)


def test_mask_of_a_large_picture_takes_little_more_than_itself():
    frame, probability = Frame.fit(5000, 6000, 256, SQUASH), blob(256)
    tracemalloc.start()
    try:
        mask = frame.restore_mask(probability, 0.5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.1 < mask.mean() < 0.9
    assert peak < 1.5 * mask.nbytes  # 256 × 6000 floats are a fifth of it; a float picture would be four times as large


@given(sides, sides, sizes, rules)
def test_levels_are_restored_like_floats(height, width, size, rule):
    frame, probability = Frame.fit(height, width, size, rule), blob(size)
    levels = frame.restore(np.rint(probability * 65535).astype(np.uint16))
    assert levels.dtype == np.uint16
    np.testing.assert_allclose(levels / 65535, frame.restore(probability), atol=1.1 / 65535)
