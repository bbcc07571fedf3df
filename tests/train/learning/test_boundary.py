"""Weights along the outline, against exact distances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt

from lesionctl.train.learning.boundary import boundary_weights


def exact_weights(mask, weight, sigma):
    """The same by SciPy's Euclidean distances, for one mask `[H, W]`, bool, with an outline."""
    edge = (binary_dilation(mask) & ~mask) | (binary_dilation(~mask) & mask)
    weights = 1 + weight * np.exp(-(distance_transform_edt(~edge) ** 2) / (2 * sigma**2))
    return weights / weights.mean()


@pytest.mark.parametrize(("weight", "sigma"), [(10.0, 5.0), (3.0, 1.5), (10.0, 25.0)])
def test_weights_are_those_of_exact_distances(weight, sigma):
    y, x = np.mgrid[:97, :70]
    masks = [
        (y - 40) ** 2 + (x - 30) ** 2 < 20**2,
        (y < 15) & (x < 20),  # in a corner: the frame is no outline
        ((y - 70) ** 2 / 4 + (x - 35) ** 2 < 11**2) | ((abs(y - 10) < 3) & (abs(x - 55) < 4)),
        np.random.default_rng(0).random((97, 70)) < 0.001,
    ]
    truth = torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))
    expected = np.stack([exact_weights(mask, weight, sigma) for mask in masks])[:, None]
    weights = boundary_weights(truth, weight, sigma)
    # Beyond four sigma the term may be left out: exp(-8) of it.
    np.testing.assert_allclose(weights, expected, atol=weight * np.exp(-8) * 1.1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (1, 9), (300, 3)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_picture_without_an_outline_has_equal_weights(shape, value):
    assert torch.equal(boundary_weights(torch.full((2, 1, *shape), value)), torch.ones(2, 1, *shape))


def test_mean_of_each_picture_is_one():
    truth = torch.zeros(3, 1, 64, 64)
    truth[1, :, 20:40, 20:40] = 1
    truth[2, :, ::2] = 1
    torch.testing.assert_close(boundary_weights(truth).mean(dim=(1, 2, 3)), torch.ones(3))


def test_outline_weighs_most_and_equally_on_both_sides():
    truth = torch.zeros(1, 1, 64, 64)
    truth[..., 32:] = 1
    row = boundary_weights(truth)[0, 0, 10]
    assert row.argmax() in (31, 32)
    assert torch.equal(row, row.flip(0))
    assert row[31] / row[0] == pytest.approx(11 / 1, rel=1e-2)
