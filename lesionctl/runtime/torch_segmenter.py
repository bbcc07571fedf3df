"""The Segmenter on torch: CPU, CUDA, MPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from lesionctl.runtime.device import require_compiler
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
        channels_last: Leave the pictures in channels_last order, which takes no copy.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], *, channels_last: bool = True) -> None:
        super().__init__()
        self.channels_last = channels_last
        scale = 1.0 / (255.0 * torch.tensor(std))
        shift = -torch.tensor(mean) / torch.tensor(std)
        self.register_buffer("scale", scale.view(1, -1, 1, 1))
        self.register_buffer("shift", shift.view(1, -1, 1, 1))

    def forward(self, batch: Tensor) -> Tensor:
        """From uint8 `[N, H, W, C]` to float32 `[N, C, H, W]`."""
        x = batch.permute(0, 3, 1, 2).float()  # [N, C, H, W], strides as in [N, H, W, C]
        x = x * self.scale + self.shift  # type: ignore[operator]
        return x if self.channels_last else x.contiguous()


class WholeModel(torch.nn.Module):
    """From bytes to probabilities in one module: normalisation, network, sigmoid.

    Args:
        net: From normalised images `[N, C, H, W]` to logits `[N, 1, H, W]`.
        spec: How it is used.
        channels_last: See `Normalize`.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec, *, channels_last: bool = True) -> None:
        super().__init__()
        self.normalize = Normalize(spec.mean, spec.std, channels_last=channels_last)
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
        compiled: Let torch compile the whole model when it first runs.

    Raises:
        UsageError: It is to be compiled, and there is no compiler.
    """

    def __init__(self, spec: ModelSpec, net: nn.Module, compute: Compute, *, compiled: bool = False) -> None:
        self.spec = spec
        self.backend = f"torch {compute.precision} {compute.device}"
        self.compute = compute
        self.model: nn.Module = compute.place(WholeModel(net, spec, channels_last=compute.channels_last)).eval()
        if compiled:
            require_compiler(compute.device)
            self.model = torch.compile(self.model)  # type: ignore[assignment]

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        probabilities: NDArray[np.float32] = self.infer(self.to_device(batch)).cpu().numpy()
        return probabilities

    def to_device(self, batch: NDArray[np.uint8]) -> Tensor:
        """Bring pictures to where the network is.

        Args:
            batch: uint8 `[N, size, size, 3]`.
        """
        return torch.from_numpy(np.ascontiguousarray(batch)).to(self.compute.device)

    @torch.inference_mode()
    def infer(self, pictures: Tensor) -> Tensor:
        """Run the network on the device; a GPU may be at work still when this returns.

        Args:
            pictures: What `to_device` returned.

        Returns:
            float32 `[N, size, size]`, the probability of lesion in [0, 1], on the device.
        """
        with self.compute.autocast():
            probabilities: Tensor = self.model(pictures)
        return probabilities
