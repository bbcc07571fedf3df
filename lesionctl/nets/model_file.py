"""The model file: one `.safetensors` with the weights and everything that is needed to use them.

A model is one file, needs no code beside it, and loading it runs no code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
import torch

from lesionctl.atomic import write_bytes
from lesionctl.errors import BadFile, UsageError
from lesionctl.nets.build import build_net
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

# Small tensors (norms, biases, depthwise kernels, the stem) stay in float32: they weigh little, running variances can
# leave float16's range, and rounding the depthwise kernels moves probabilities more than rounding all the rest.
_LARGE = 16_384


def save_model(path: Path, spec: ModelSpec, weights: dict[str, Tensor], *, half: bool = False) -> None:
    """Write a model file, whole or not at all.

    Args:
        path: Where.
        spec: How to use it.
        weights: The network's state dict.
        half: Store the large tensors, which make up nearly all of a file, as float16.
    """
    tensors = {
        name: (tensor.half() if half and tensor.numel() > _LARGE else tensor).detach().cpu().contiguous()
        for name, tensor in weights.items()
    }
    write_bytes(path, safetensors.torch.save(tensors, metadata={METADATA_KEY: spec.to_json()}))


def read_model_spec(path: Path) -> ModelSpec:
    """What a model file says of itself, without reading its weights.

    Raises:
        BadFile: The file is missing, damaged or no model of this program.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
    except (OSError, safetensors.SafetensorError) as error:
        raise BadFile(path, f"is no model file that can be read ({error})") from error
    if text is None:
        raise BadFile(path, "holds weights alone, not a lesionctl model", hint="train one with: lesionctl train")
    try:
        return ModelSpec.from_json(text)
    except ValueError as error:
        raise BadFile(path, f"cannot be used: {error}") from error


def load_model(path: Path) -> tuple[ModelSpec, nn.Module]:
    """Build the network of a model file and load its weights as float32.

    Returns:
        The spec, and the network in evaluation mode on the CPU.

    Raises:
        BadFile: The file is missing, damaged or its weights do not fit its spec.
    """
    spec = read_model_spec(path)
    try:
        net = build_net(spec.net)
        net.load_state_dict(safetensors.torch.load_file(path))
    except (RuntimeError, safetensors.SafetensorError, UsageError) as error:
        raise BadFile(path, f"its weights do not fit the network that it names ({error})") from error
    return spec, net.to(torch.float32).eval()
