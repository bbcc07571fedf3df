"""Several forward passes per step train as one of all their pictures, where no norm looks at the others of a pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lesionctl.train.loop import train


@pytest.fixture
def fixed_norms(monkeypatch):
    """Batch norms that do not depend on the batch."""
    monkeypatch.setattr(_BatchNorm, "train", lambda norm, _=True: nn.Module.train(norm, False))


@pytest.fixture
def gradients(monkeypatch):
    """The gradient of each step, before it is clipped."""
    seen, clip = [], nn.utils.clip_grad_norm_

    def keep_and_clip(parameters, largest):
        parameters = list(parameters)
        seen.append(torch.cat([parameter.grad.flatten() for parameter in parameters]))
        return clip(parameters, largest)

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", keep_and_clip)
    return seen


@pytest.mark.usefixtures("fixed_norms")
@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 4), (2, 2), (3, 2)])
def test_gradients_and_weights_are_those_of_the_whole_step(
    store_path, tiny_options, tmp_path, gradients, batch_size, accumulate
):
    whole = replace(tiny_options, epochs=1, batch_size=batch_size * accumulate)
    parts = replace(whole, batch_size=batch_size, accumulate=accumulate)
    results = [train(store_path, tmp_path / name, options) for name, options in (("whole", whole), ("parts", parts))]
    assert len(gradients) == 2
    one, other = gradients
    assert (one - other).norm() / one.norm() <= 1e-5
    one, other = (safetensors.torch.load_file(result.model) for result in results)
    for name in one:
        assert torch.allclose(one[name], other[name], atol=1e-5), name
