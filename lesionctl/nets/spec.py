"""What a net is, as plain data: enough to build it again."""

from __future__ import annotations

from dataclasses import dataclass

DECODER_STRIDES = (1, 2, 4)


@dataclass(frozen=True)
class NetSpec:
    """A U-Net over a timm encoder.

    Args:
        encoder: A timm model that offers `features_only`.
        decoder_channels: Width of each decoder level, deepest first; one for every halving that is undone.
        decoder_stride: Where the decoder stops: its logits have 1/1, 1/2 or 1/4 of the input's height and width and are
            brought to the input's size bilinearly. Lesions have smooth borders; the last levels cost most of the time.
        in_channels: Channels of the input; 3 for RGB.

    Raises:
        ValueError: `decoder_stride` is not 1, 2 or 4, or a width is not positive.
    """

    encoder: str
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    decoder_stride: int = 2
    in_channels: int = 3

    def __post_init__(self) -> None:
        """Check the values."""
        if self.decoder_stride not in DECODER_STRIDES:
            raise ValueError(f"the decoder's stride is {self.decoder_stride}; it can be 1, 2 or 4")
        if not self.decoder_channels or min(self.decoder_channels) < 1:
            raise ValueError(f"decoder channels {self.decoder_channels} must be one or more positive widths")
