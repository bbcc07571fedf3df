"""Two processes with half a batch each train as one with all of it. Run as a program, this file is one of the two."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lesionctl.nets.build import build_net
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.distributed.ranks import Ranks, join_ranks
from lesionctl.train.distributed.sync_norm import synchronise_norms

CPU = Compute(torch.device("cpu"), Precision.FP32)
BF16 = Compute(torch.device("cpu"), Precision.BF16)
F64, F32 = torch.float64, torch.float32
CASES = {
    # The two processes' largest distance from the whole batch in float64, relative to the norm of the vector.
    "stack, float64": (F64, CPU, 1e-12),
    "stack, float32": (F32, CPU, 1e-5),
    "stack, bfloat16": (F32, BF16, 5e-2),
    "U-Net, float64": (F64, CPU, 1e-12),
    "U-Net, float32": (F32, CPU, 1e-5),
}


def make_net(case):
    torch.manual_seed(0)
    if case.startswith("U-Net"):
        return build_net(UNetSpec("mobilenetv3_small_050", (32, 24, 16, 16, 8)))
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4))


def train_step(ranks, case):
    """Outputs in training and evaluation, gradients and state of one step on this process's part of eight pictures."""
    dtype, compute, _ = CASES[case]
    net = compute.place(make_net(case).to(dtype))
    wrapped = ranks.wrap(synchronise_norms(net, compute, ranks), compute)
    part = slice(ranks.rank * 8 // ranks.world, (ranks.rank + 1) * 8 // ranks.world)
    x = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * torch.arange(1, 9).view(8, 1, 1, 1)
    x = x.to(dtype, memory_format=torch.channels_last)[part]
    with compute.autocast():
        y = wrapped(x)
    weights = torch.rand(8, *y.shape[1:], generator=torch.Generator().manual_seed(2))[part]
    (torch.sigmoid(y.to(dtype)) * weights).mean().backward()
    with torch.no_grad():
        return {
            "training": y.detach(),
            "evaluation": net.eval()(x),
            "gradients": torch.cat([parameter.grad.flatten() for parameter in net.parameters()]),
            "statistics": torch.cat([values.flatten() for values in net.buffers()]),
        }


@pytest.fixture(scope="module")
def together(two_processes, tmp_path_factory):
    """What each of two processes gets in every case."""
    folder = tmp_path_factory.mktemp("sync_norm")
    with two_processes(__file__, folder) as started:
        for process in started:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    return [torch.load(folder / rank) for rank in ("0", "1")]


@pytest.mark.parametrize("case", CASES)
def test_two_halves_of_a_batch_train_as_the_whole(together, case):
    first, other = (values[case] for values in together)
    for name, whole in train_step(Ranks(), case.split(",")[0] + ", float64").items():
        if name in ("training", "evaluation"):
            parts = torch.cat([first[name], other[name]])
        else:
            parts = first[name]
            assert torch.equal(parts, other[name]), name  # no process drifts away from the others
        distance = (parts.double() - whole.double()).norm() / whole.double().norm()
        assert distance <= CASES[case][2], f"{name}: {distance:.1e}"


def test_names_and_classes_stay_and_a_copy_is_its_own():
    net = make_net("U-Net")
    before = [(name, type(module)) for name, module in net.named_modules()]
    assert synchronise_norms(net, CPU, Ranks(rank=0, world=2)) is net
    assert [(name, type(module)) for name, module in net.named_modules()] == before
    assert list(net.state_dict()) == list(make_net("U-Net").state_dict())
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 42
    assert all(module.forward.__self__ is module for module in norms)
    assert all(
        module.forward.__self__ is module
        for module in copy.deepcopy(net).modules()
        if isinstance(module, nn.BatchNorm2d)
    )


def test_a_world_of_one_changes_nothing():
    net = make_net("stack")
    assert synchronise_norms(net, CPU, Ranks()) is net
    assert not any("forward" in vars(module) for module in net.modules())


def test_norms_on_a_gpu_become_torchs_and_keep_their_activations():
    net = make_net("U-Net")
    names = list(net.state_dict())
    before = {
        name: repr(module.act)
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm2d) and hasattr(module, "act")
    }
    converted = synchronise_norms(net, Compute(torch.device("cuda:0"), Precision.BF16), Ranks(rank=0, world=2))
    assert list(converted.state_dict()) == names
    assert not any(isinstance(module, nn.BatchNorm2d) for module in converted.modules())
    after = {
        name: repr(module.act)
        for name, module in converted.named_modules()
        if isinstance(module, nn.SyncBatchNorm) and hasattr(module, "act")
    }
    assert after == before
    assert len(after) == 33


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_ranks() as joined:
        torch.save({case: train_step(joined, case) for case in CASES}, Path(sys.argv[1]) / str(joined.rank))
