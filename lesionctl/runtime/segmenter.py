"""The contract that every backend fulfils: pictures in, probabilities out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask, Probability
    from lesionctl.imaging.frame import Frame
    from lesionctl.nets.model_spec import ModelSpec


class Segmenter(ABC):
    """A model, ready to run. Everything from a picture to its mask belongs to the model, never to the caller.

    Attributes:
        spec: How the model is used.
        backend: What runs it, in which number format, on which device.
        digest: SHA-256 of the model file's bytes, in hex; of several models, of their digests in order. Empty where
            the model is from no file.
    """

    spec: ModelSpec
    backend: str
    digest: str = ""

    @property
    def parameters(self) -> int:
        """How many numbers the network's weights are."""
        from lesionctl.nets.build import count_parameters

        return count_parameters(self.spec.net)

    @abstractmethod
    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on pictures that are in its geometry already.

        Args:
            batch: uint8 `[N, size, size, 3]`, RGB.

        Returns:
            float32 `[N, size, size]`, the probability of lesion in [0, 1].
        """

    def forward_with_spread(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Run the network, and say how far the answers lie apart that the probabilities are the mean of.

        Args:
            batch: As in `forward`.

        Returns:
            What `forward` returns, and the standard deviation over models or views, float32 `[N, size, size]`; None
            where there is one answer only.
        """
        return self.forward(batch), None

    def segment(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Probabilities of pictures of any sizes, in the network's geometry.

        Args:
            images: Each uint8 `[H, W, 3]`, RGB, upright.

        Returns:
            float32 `[N, size, size]`; `spec.frame(H, W).restore` brings each to its picture's size.
        """
        return self.forward(np.stack([self.spec.frame(*image.shape[:2]).shrink(image) for image in images]))

    def mask(self, probability: Probability, frame: Frame) -> Mask:
        """The mask of a picture at its own size: the one place where probabilities become one.

        The model's threshold makes it, then its post-processing. Neither takes more than 3 bytes per pixel.

        Args:
            probability: float32 `[size, size]` in [0, 1], from `forward` or `segment`.
            frame: How the picture was mapped into the network's geometry.

        Returns:
            bool `[H, W]`.
        """
        return self.spec.postprocess.apply(frame.restore_mask(probability, self.spec.threshold))
