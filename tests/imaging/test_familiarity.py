"""What is like the training pictures and what is not, by simple figures of the network's view."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from lesionctl.imaging.familiarity import QUANTILE, Familiarity, _shrunk_covariance, describe_view


def draw_skin(seed, size=96):
    """A dark blot on skin, with some noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    lesion = np.hypot(x - random.uniform(-0.3, 0.3), y - random.uniform(-0.3, 0.3)) < random.uniform(0.3, 0.6)
    skin = np.array([220, 170, 150]) + random.normal(0, 12, 3)
    blot = np.array([120, 80, 60]) + random.normal(0, 12, 3)
    image = np.where(lesion[..., None], blot, skin) + random.normal(0, random.uniform(3, 6), (size, size, 3))
    return cv2.GaussianBlur(image.clip(0, 255).astype(np.uint8), (3, 3), 0)


@pytest.fixture(scope="module")
def descriptions():
    return np.array([describe_view(draw_skin(seed)) for seed in range(300)])


@pytest.fixture(scope="module")
def familiar(descriptions):
    return Familiarity.of(descriptions[:200], descriptions[200:])


def test_a_view_is_described_by_45_numbers_at_any_size():
    for size in (32, 96, 256, 300):
        description = describe_view(draw_skin(0, size))
        assert (description.shape, description.dtype) == ((45,), np.float32)
        assert np.isfinite(description).all()


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_even_picture_has_a_description(shade):
    assert np.isfinite(describe_view(np.full((64, 64, 3), shade, np.uint8))).all()


def test_a_view_that_is_turned_or_flipped_is_described_the_same():
    view = draw_skin(1)
    for turned in (np.rot90(view), np.rot90(view, 2), view[:, ::-1], view[::-1]):
        np.testing.assert_allclose(describe_view(np.ascontiguousarray(turned)), describe_view(view), atol=1e-3)


def test_colours_are_in_cielab_and_dark_pixels_are_counted():
    view = np.full((64, 64, 3), 255, np.uint8)
    view[:16] = 0  # the upper quarter
    description = describe_view(view)
    assert description[:3] == pytest.approx([75, 0, 0], abs=0.1)
    dark = description[3 + 1 + 15]  # after the means, the chroma and five percentiles of each channel
    assert dark == 0.25


def test_pictures_like_those_learned_from_are_within_the_limit_and_others_far_beyond(familiar):
    inside = [familiar.distance(describe_view(draw_skin(seed))) for seed in range(1000, 1100)]
    assert np.mean(np.array(inside) <= familiar.limit) >= 0.95
    assert 0.5 < np.median(inside) < 1  # what always goes together is one figure only
    view = draw_skin(2000)
    strangers = {
        "red and blue exchanged": view[..., ::-1],
        "negative": 255 - view,
        "noise": np.random.default_rng(0).integers(0, 256, view.shape, dtype=np.uint8),
        "even": np.full_like(view, 190),
        "black": np.zeros_like(view),
    }
    distances = {name: familiar.distance(describe_view(np.ascontiguousarray(view))) for name, view in strangers.items()}
    assert min(distances.values()) > 2 * familiar.limit, distances


def test_the_limit_is_the_distance_that_99_in_100_keep(familiar, descriptions):
    distances = [familiar.distance(description) for description in descriptions[200:]]
    assert QUANTILE == 0.99
    assert familiar.limit == pytest.approx(np.quantile(distances, 0.99), abs=1e-4)
    assert sum(distance > familiar.limit for distance in distances) == 1


def test_it_is_the_mahalanobis_distance(descriptions):
    random = np.random.default_rng(0)
    mixing = random.normal(size=(4, 4))
    learned = (random.normal(size=(50_000, 4)) @ mixing.T + 5).astype(np.float32)
    familiar = Familiarity.of(learned, learned[:100])
    point = np.array([7, 3, 5, 6], np.float32)
    away = point - 5
    expected = np.sqrt(away @ np.linalg.inv(mixing @ mixing.T) @ away / 4)
    assert familiar.distance(point) == pytest.approx(expected, rel=0.1)  # a hundredth of each variance is added


def test_covariance_is_shrunk_as_by_ledoit_and_wolf(descriptions):
    for pictures in (10, 60, 200):
        values = descriptions[:pictures].astype(np.float64)
        values = (values - values.mean(0)) / values.std(0).clip(1e-6)
        expected = LedoitWolf(assume_centered=True).fit(values).covariance_
        np.testing.assert_allclose(_shrunk_covariance(values), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("pictures", [1, 2, 7])
def test_few_pictures_are_enough_to_go_on(descriptions, pictures):
    familiar = Familiarity.of(descriptions[:pictures], descriptions[:1])
    assert np.isfinite(familiar.distance(descriptions[50]))
    assert np.isfinite(familiar.limit)


def test_it_survives_json_to_the_bit_in_six_kilobytes(familiar, descriptions):
    text = json.dumps(familiar.to_dict())
    assert len(text) < 6_000
    read = Familiarity.from_dict(json.loads(text))
    assert read == familiar
    assert read.distance(descriptions[3]) == familiar.distance(descriptions[3])
    assert read != Familiarity(familiar.mean, familiar.whitening, familiar.limit + 1)


@pytest.mark.parametrize(
    "change",
    [{"mean": "AAAA"}, {"whitening": ""}, {"whitening": "no base64!"}, {"mean": 3}, {"limit": None}, {"limit": "far"}],
    ids=str,
)
def test_something_else_is_refused(familiar, change):
    with pytest.raises(ValueError, match="does not say rightly what is familiar to it"):
        Familiarity.from_dict(familiar.to_dict() | change)
    values = familiar.to_dict()
    del values["limit"]
    with pytest.raises(ValueError, match="does not say rightly what is familiar to it"):
        Familiarity.from_dict(values)
