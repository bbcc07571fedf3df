"""The Segmenter on torch: CPU, CUDA, MPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from lesionctl.runtime.segmenter import Segmenter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute


class Normalize(torch.nn.Module):
    """Bytes to the numbers that a network was trained on: `(x / 255 - mean) / std`.

    Args:
        mean: Per channel, for pixels in [0, 1].
        std: Per channel, likewise.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        scale = 1.0 / (255.0 * torch.tensor(std))
        shift = -torch.tensor(mean) / torch.tensor(std)
        self.register_buffer("scale", scale.view(1, -1, 1, 1))
        self.register_buffer("shift", shift.view(1, -1, 1, 1))

    def forward(self, batch: Tensor) -> Tensor:
        """From uint8 `[N, H, W, C]` to float32 `[N, C, H, W]`, in channels_last order without a copy."""
        x = batch.permute(0, 3, 1, 2).float()  # [N, C, H, W], strides as in [N, H, W, C]
        return x * self.scale + self.shift  # type: ignore[operator]


class WholeModel(torch.nn.Module):
    """From bytes to probabilities in one module: normalisation, network, sigmoid.

    Args:
        net: From normalised images `[N, C, H, W]` to logits `[N, 1, H, W]`.
        spec: How it is used.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.normalize = Normalize(spec.mean, spec.std)
        self.net = net

    def forward(self, batch: Tensor) -> Tensor:
        """From uint8 `[N, H, W, C]` to float32 `[N, H, W]` in [0, 1]."""
        return self.net(self.normalize(batch))[:, 0].float().sigmoid()


class TorchSegmenter(Segmenter):
    """A network on a torch device.

    Args:
        spec: How the model is used.
        net: The network, which is moved to the device and switched to evaluation.
        compute: Where and how to compute.
    """

    def __init__(self, spec: ModelSpec, net: nn.Module, compute: Compute) -> None:
        self.spec = spec
        self.backend = f"torch {compute.precision} {compute.device}"
        self.compute = compute
        self.model = compute.place(WholeModel(net, spec)).eval()

    @torch.inference_mode()
    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        pictures = torch.from_numpy(np.ascontiguousarray(batch)).to(self.compute.device)
        with self.compute.autocast():
            probabilities: NDArray[np.float32] = self.model(pictures).cpu().numpy()
        return probabilities
