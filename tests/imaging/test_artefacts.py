"""The painters of artefacts: what every one of them promises, and what each is for."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.imaging.artefacts import (
    ARTEFACTS,
    add_dark_corners,
    add_gel_bubbles,
    add_hair,
    add_ink,
    add_ruler,
    add_vignette,
)

SKIN = (205, 160, 140)


def skin(height=96, width=128):
    return np.full((height, width, 3), SKIN, np.uint8)


def changed(before, after):
    return (before != after).any(axis=-1)


def test_painters_go_from_the_skin_up_to_the_lens():
    assert list(ARTEFACTS) == ["ink", "hair", "gel_bubble", "ruler", "vignette", "dark_corner"]


@pytest.mark.parametrize("name", ARTEFACTS)
@pytest.mark.parametrize("size", [(64, 97), (256, 256), (33, 40), (300, 201)])
def test_painter_keeps_shape_type_and_input_and_changes_something(name, size):
    image = skin(*size)
    for seed in range(5):
        painted = ARTEFACTS[name](image, np.random.default_rng(seed))
        assert painted.shape == image.shape
        assert painted.dtype == np.uint8
        assert changed(image, painted).any()
    assert (image == SKIN).all()


@pytest.mark.parametrize("name", ARTEFACTS)
def test_painter_accepts_a_view_that_cannot_be_written(name):
    image = skin()[::-1, ::2]
    image.flags.writeable = False
    assert ARTEFACTS[name](image, np.random.default_rng(0)).shape == (96, 64, 3)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_painter_depends_on_the_seed_alone(name):
    first, again, other = (ARTEFACTS[name](skin(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_painter_does_about_the_same_at_every_resolution(name):
    small, large = (
        ARTEFACTS[name](skin(size, size), np.random.default_rng(3)).astype(float) - SKIN for size in (256, 1024)
    )
    # A line of less than a pixel is drawn as one of a pixel.
    assert 0.4 < np.abs(large).mean() / np.abs(small).mean() < 1.3


def test_hair_is_darker_or_lighter_than_skin_and_leaves_most_of_it():
    shades = []
    for seed in range(12):
        painted = add_hair(skin(256, 256), np.random.default_rng(seed))
        touched = changed(skin(256, 256), painted)
        assert 0.001 < touched.mean() < 0.5
        shades.append(painted[touched].mean() - np.mean(SKIN))
    assert min(shades) < -20
    assert max(shades) > 5


def test_ink_is_bluer_than_skin_and_leaves_the_middle_alone():
    for seed in range(8):
        painted = add_ink(skin(256, 256), np.random.default_rng(seed)).astype(int)
        inked = changed(skin(256, 256), painted)
        assert (painted[inked][:, 2] - painted[inked][:, 1]).mean() > SKIN[2] - SKIN[1] + 10
        assert not inked[96:160, 96:160].any()


def test_gel_bubbles_have_highlights_and_dark_sides():
    painted = add_gel_bubbles(skin(256, 256), np.random.default_rng(0))
    assert painted.max() > 230
    assert painted[..., 0].min() < SKIN[0] - 10


def test_ruler_is_dark_and_thin():
    for seed in range(8):
        painted = add_ruler(skin(512, 512), np.random.default_rng(seed))
        touched = changed(skin(512, 512), painted)
        assert 0.002 < touched.mean() < 0.05
        assert painted[touched].mean() < np.mean(SKIN) - 20


def test_vignette_only_takes_light_and_most_of_it_from_the_corners():
    painted = add_vignette(skin(120, 160), np.random.default_rng(0))
    assert (painted <= SKIN).all()
    corners = painted[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert corners < 0.85 * painted[50:70, 70:90].mean()


def test_dark_corners_are_black_outside_and_leave_the_field_of_view_alone():
    for seed in range(8):
        painted = add_dark_corners(skin(120, 160), np.random.default_rng(seed))
        assert painted[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 30
        assert (painted[35:85, 50:110] == SKIN).all()
