"""Random views: the seed alone decides them, picture and mask move together, each change comes and goes on its own."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.imaging.artefacts import ARTEFACTS
from lesionctl.train import augment
from lesionctl.train.augment import Augmentation


@pytest.fixture
def picture():
    """A dark disc on noisy skin, with its mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    mask = np.hypot(y - 50, x - 40) < 22
    image = rng.integers(190, 230, (96, 96, 3), np.uint8)
    image[mask] //= 3
    return image, mask


def test_same_seed_same_view_whatever_came_before(picture):
    one, other = (Augmentation(64, enabled=True) for _ in range(2))
    for seed in range(7):
        other(*picture, 1000 + seed)
    for seed in range(60):
        view, again = one(*picture, seed), other(*picture, seed)
        np.testing.assert_array_equal(view[0], again[0])
        np.testing.assert_array_equal(view[1], again[1])


def test_other_seeds_are_other_views(picture):
    vary = Augmentation(64, enabled=True)
    assert len({vary(*picture, seed)[0].tobytes() for seed in range(50)}) == 50


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_view_has_the_size_and_types_that_are_promised(picture, size, enabled):
    image, mask = Augmentation(size, enabled=enabled)(*picture, seed=3)
    assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((size, size), np.bool_)


def test_given_picture_is_not_changed(picture):
    image, mask = (part.copy() for part in picture)
    for seed in range(20):
        Augmentation(64, enabled=True)(*picture, seed)
    np.testing.assert_array_equal(picture[0], image)
    np.testing.assert_array_equal(picture[1], mask)


def test_mask_stays_on_the_lesion(picture):
    vary = Augmentation(96, enabled=True)
    for seed in range(40):
        image, mask = vary(*picture, seed)
        if 200 < mask.sum() < mask.size - 200:
            grey = image.mean(axis=-1)
            assert np.median(grey[mask]) < np.median(grey[~mask]) - 40, seed


def test_disabled_augmentation_only_resizes(picture):
    plain = Augmentation(48, enabled=False)
    image, mask = plain(*picture, seed=0)
    again, _ = plain(*picture, seed=1)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_allclose(image, picture[0].reshape(48, 2, 48, 2, 3).mean(axis=(1, 3)), atol=1)
    assert (mask != picture[1][::2, ::2]).mean() < 0.03


def test_artefacts_come_as_often_as_they_should_and_independently(monkeypatch):
    present = dict.fromkeys(ARTEFACTS, False)

    def spy(name):
        def paint(image, rng):
            present[name] = True
            return image

        return paint

    monkeypatch.setattr(augment, "ARTEFACTS", {name: spy(name) for name in ARTEFACTS})
    vary = Augmentation(16, enabled=True)
    image, mask = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), bool)
    rows = []
    for seed in range(1500):
        present.update(dict.fromkeys(ARTEFACTS, False))
        vary(image, mask, seed)
        rows.append(list(present.values()))
    table = np.array(rows)
    shares = dict(zip(ARTEFACTS, table.mean(axis=0), strict=True))
    expected = {"ink": 0.03, "hair": 0.12, "gel_bubble": 0.06, "ruler": 0.06, "vignette": 0.1, "dark_corner": 0.06}
    assert shares == pytest.approx(expected, abs=0.026)  # three standard errors of the largest
    # A single number for all would make the rarer come only with the more frequent: correlations of 0.5 to 1.
    correlations = np.corrcoef(table.T)[np.triu_indices(len(ARTEFACTS), 1)]
    assert np.abs(correlations).max() < 0.12


def test_artefact_leaves_the_mask_alone_and_draws_by_the_views_seed(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        augment, "ARTEFACTS", dict.fromkeys(ARTEFACTS, lambda image, rng: drawn.append(rng.random()) or image)
    )
    monkeypatch.setattr(augment, "_ARTEFACT_SHARES", {"hair": 1.0})
    vary = Augmentation(16, enabled=True)
    image, mask = np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), bool)
    for seed in (5, 6, 5):
        assert vary(image, mask, seed)[1].all()
    assert drawn[0] == drawn[2] != drawn[1]
