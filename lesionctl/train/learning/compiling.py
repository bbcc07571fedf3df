"""Compiling the network that is trained."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import torch

from lesionctl.errors import UsageError
from lesionctl.train.options import Compile

if TYPE_CHECKING:
    from torch import nn

    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions


def compile_net(net: nn.Module, options: TrainOptions, compute: Compute) -> nn.Module:
    """The network as torch compiles it at its first step; weights and their names stay those of `net`.

    Args:
        net: What is trained, on its device.
        options: `compile`, and `accumulate`, which recorded kernels do not go with.
        compute: Where it is trained.

    Raises:
        UsageError: There is no compiler, or kernels cannot be recorded here.
    """
    how = options.compile
    if how is Compile.OFF:
        return net
    if how is Compile.CUDA_GRAPHS and compute.device.type != "cuda":
        raise UsageError("--compile cuda-graphs needs a GPU", hint="use --compile on")
    if how is Compile.CUDA_GRAPHS and options.accumulate > 1:
        # Gradients live in the memory of the recording, which the next forward pass takes back.
        raise UsageError("--compile cuda-graphs cannot add up gradients", hint="use --compile on, or --accumulate 1")
    if compute.device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise UsageError("--compile on needs a C++ compiler on the CPU", hint="install g++, or leave out --compile")
    mode = "reduce-overhead" if how is Compile.CUDA_GRAPHS else "default"
    compiled: nn.Module = torch.compile(net, mode=mode)  # type: ignore[assignment]
    return compiled
