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


def compile_net(net: nn.Module, how: Compile, compute: Compute) -> nn.Module:
    """The network as torch compiles it at its first step; weights and their names stay those of `net`.

    Args:
        net: What is trained, on its device.
        how: Whether, and whether kernels are recorded and replayed.
        compute: Where it is trained.

    Raises:
        UsageError: There is no compiler, or recording was asked for without a GPU.
    """
    if how is Compile.OFF:
        return net
    if how is Compile.CUDA_GRAPHS and compute.device.type != "cuda":
        raise UsageError("--compile cuda-graphs needs a GPU", hint="use --compile on")
    if compute.device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise UsageError("--compile on needs a C++ compiler on the CPU", hint="install g++, or leave out --compile")
    mode = "reduce-overhead" if how is Compile.CUDA_GRAPHS else "default"
    compiled: nn.Module = torch.compile(net, mode=mode)  # type: ignore[assignment]
    return compiled
