"""What a net is, as plain data: enough to build it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

DECODER_STRIDES = (1, 2, 4)
OUTPUT_STRIDES = (8, 16)


class Arch(StrEnum):
    """What kind of network."""

    UNET = "unet"
    DEEPLABV3PLUS = "deeplabv3plus"
    CLASSIC = "classic"

    @property
    def label(self) -> str:
        """What people call it."""
        return {Arch.UNET: "U-Net", Arch.DEEPLABV3PLUS: "DeepLabV3+", Arch.CLASSIC: "classic U-Net"}[self]


@dataclass(frozen=True)
class UNetSpec:
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

    arch: ClassVar[Arch] = Arch.UNET

    encoder: str
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    decoder_stride: int = 2
    in_channels: int = 3

    def __post_init__(self) -> None:
        """Check the values."""
        if self.decoder_stride not in DECODER_STRIDES:
            raise ValueError(f"the decoder's stride is {self.decoder_stride}; it can be 1, 2 or 4")
        _check_widths("decoder channels", self.decoder_channels)
        _check_channels(self.in_channels)


@dataclass(frozen=True)
class DeepLabV3PlusSpec:
    """DeepLabV3+ over a timm encoder.

    Args:
        encoder: A timm model that offers `features_only` and can be built with an `output_stride`.
        output_stride: The encoder's last features have 1/16 or 1/8 of the input's height and width; where it would
            have halved them further, its convolutions are dilated instead. 8 sees finer and costs more.
        in_channels: Channels of the input; 3 for RGB.
        aspp_channels: Width of the atrous spatial pyramid pooling and of the decoder.

    Raises:
        ValueError: `output_stride` is not 8 or 16, or a width is not positive.
    """

    arch: ClassVar[Arch] = Arch.DEEPLABV3PLUS

    encoder: str
    output_stride: int = 16
    in_channels: int = 3
    aspp_channels: int = 256

    def __post_init__(self) -> None:
        """Check the values."""
        if self.output_stride not in OUTPUT_STRIDES:
            raise ValueError(f"the output stride is {self.output_stride}; it can be 8 or 16")
        _check_widths("ASPP channels", (self.aspp_channels,))
        _check_channels(self.in_channels)


@dataclass(frozen=True)
class ClassicSpec:
    """The U-Net of 2015, batch-normed and padded.

    Args:
        widths: Width of each level, from the top down; there is one pooling less than there are levels.
        in_channels: Channels of the input; 3 for RGB.

    Raises:
        ValueError: A width is not positive.
    """

    arch: ClassVar[Arch] = Arch.CLASSIC

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    in_channels: int = 3

    def __post_init__(self) -> None:
        """Check the values."""
        _check_widths("widths", self.widths)
        _check_channels(self.in_channels)


NetSpec: TypeAlias = UNetSpec | DeepLabV3PlusSpec | ClassicSpec
"""What any of the networks is."""

_KINDS: dict[Arch, type[NetSpec]] = {kind.arch: kind for kind in (UNetSpec, DeepLabV3PlusSpec, ClassicSpec)}


def spec_to_dict(spec: NetSpec) -> dict[str, Any]:
    """The values of a spec in forms that JSON has, with the network's kind as `arch`."""
    return {"arch": str(spec.arch), **asdict(spec)}


def spec_from_dict(values: dict[str, Any]) -> NetSpec:
    """Read what `spec_to_dict` gave, or JSON made of it; without `arch` it is a U-Net, as in files of before.

    Raises:
        ValueError: The kind is unknown, or its values are others or out of their range.
    """
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = _KINDS[Arch(given.pop("arch", Arch.UNET))]
    needed = {field.name for field in fields(kind)}
    if given.keys() != needed:
        raise ValueError(
            f"a {kind.arch.label} is described by {', '.join(sorted(needed))}, not by {', '.join(sorted(given))}"
        )
    return kind(**given)


def _check_widths(name: str, widths: tuple[int, ...]) -> None:
    if not widths or min(widths) < 1:
        raise ValueError(f"{name} {widths} must be one or more positive widths")


def _check_channels(in_channels: int) -> None:
    if in_channels < 1:
        raise ValueError(f"{in_channels} channels of input are too few")
