"""Encoders: any timm model that offers `features_only`, with weights from a file, the cache, the hub, or none."""

from __future__ import annotations

import logging
import pickle
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from lesionctl.errors import BadFile, LesionctlError, UsageError, did_you_mean
from lesionctl.nets.timm_import import timm
from lesionctl.paths import encoder_weights_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

HUB = "hub"
"""Word for "the weights that timm's hub has for this encoder", which the cache may hold already."""


def check_encoder(name: str) -> None:
    """Refuse a name that timm does not know, or knows without the tag (`resnet34.tag`) that it ends in.

    Raises:
        UsageError: With near names.
    """
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models(), most=5, otherwise="one that is often taken: resnet34")
        raise UsageError(f"timm has no encoder named '{name}'", hint)
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        encoder, _, tag = name.partition(".")
        known = ", ".join(timm.list_pretrained(f"{encoder}.*"))
        raise UsageError(
            f"timm's encoder '{encoder}' has no weights named '{tag}'", hint=f"it has: {known}" if known else None
        ) from error


def hub_config(name: str) -> Any:
    """What timm says of the weights that the hub has for an encoder.

    Args:
        name: That `check_encoder` accepts.

    Returns:
        timm's `PretrainedCfg`; its `hf_hub_id` is set.

    Raises:
        UsageError: The hub has none.
    """
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.hf_hub_id:
        return config
    if config is not None and config.url:
        hint = f"download {config.url} and pass the file to train as --encoder-weights FILE"
    else:
        hint = "train can start from a file, --encoder-weights FILE, or from random weights, --encoder-weights none"
    raise UsageError(f"timm's hub has no weights for '{name}'", hint)


def build_encoder(
    name: str, in_channels: int, weights: Path | str | None = None, output_stride: int | None = None
) -> nn.Module:
    """Build an encoder that returns a list of feature maps, finest first.

    Args:
        name: timm's name of the model.
        in_channels: Channels of the input.
        weights: A file with a timm state dict (.safetensors or .pth), `HUB`, or None for random weights. For `HUB`, no
            connection is opened where the cache has the encoder's file.
        output_stride: Stride of the last feature map; where the encoder would have halved it further, its convolutions
            are dilated instead, with the same weights. None leaves the encoder as it is, most often at 32.

    Returns:
        A module; `encoder.feature_info.channels()` and `.reduction()` say what it returns.

    Raises:
        UsageError: timm has no such model, it offers no feature maps, it cannot have that output stride, or the hub has
            no weights for it.
        BadFile: The weights file is missing or does not fit the encoder.
        LesionctlError: The hub cannot be reached.
    """
    check_encoder(name)
    file = _find_file(name, weights)
    if weights == HUB and file is None:
        hub_config(name)
    # Some models load the hub's file in a format of its own; a file here is always a state dict.
    overlay = None if file is None else {"file": str(file), "custom_load": False}
    try:
        with _missing_weights() as missing:
            encoder: nn.Module = timm.create_model(
                name,
                features_only=True,
                in_chans=in_channels,
                pretrained=weights is not None,
                pretrained_cfg_overlay=overlay,
                output_stride=output_stride,  # timm drops a None
            )
    except (AssertionError, TypeError) as error:  # how timm's constructors refuse to dilate
        if output_stride is None:
            raise
        raise UsageError(
            f"timm's '{name}' cannot be built with an output stride of {output_stride}: its convolutions do not dilate",
            hint="many can, as tf_efficientnet_lite0, mobilenetv3_large_100, resnet34 and convnext_tiny; "
            "a U-Net needs no dilation",
        ) from error
    except (
        AttributeError,
        EOFError,
        KeyError,
        OSError,
        RuntimeError,
        ValueError,
        SafetensorError,
        pickle.UnpicklingError,
    ) as error:
        if file is not None:
            raise _misfit(file, name, error, weights) from error
        if weights == HUB:
            raise LesionctlError(
                f"the hub's weights for '{name}' cannot be had: {error.__cause__ or error}",
                hint=f"where a network is, `lesionctl fetch --encoder {name}` puts them into the cache "
                f"({encoder_weights_file(name)}); or pass --encoder-weights FILE, "
                "or --encoder-weights none to start from random weights",
            ) from error
        raise UsageError(f"timm's '{name}' offers no feature maps: {error}") from error
    if file is not None and (lacks := _without_classifier(name, missing)):
        more = f" and {len(lacks) - 3} more" if len(lacks) > 3 else ""
        raise _misfit(file, name, f"they lack {', '.join(lacks[:3])}{more}", weights)
    return encoder


def _find_file(name: str, weights: Path | str | None) -> Path | None:
    """The file that holds the weights asked for; None: it takes the hub, or no weights are wanted.

    Raises:
        BadFile: A file was asked for that does not exist.
    """
    if weights is None:
        return None
    if weights == HUB:
        cached = encoder_weights_file(name)
        return cached if cached.is_file() else None
    path = Path(weights)
    if not path.is_file():
        raise BadFile(path, "no such file of encoder weights")
    return path


def _misfit(file: Path, name: str, why: object, weights: Path | str | None) -> BadFile:
    hint = f"remove it, and fetch it again: lesionctl fetch --encoder {name}" if weights == HUB else None
    return BadFile(file, f"these weights do not fit the encoder '{name}' ({why})", hint)


def _without_classifier(name: str, missing: list[str]) -> list[str]:
    """The tensors that an encoder needs, among those that timm found missing: it drops the classifier's itself."""
    config = timm.get_pretrained_cfg(name)
    layers = (config and config.classifier) or ()
    classifiers = tuple(f"{layer}." for layer in ([layers] if isinstance(layers, str) else layers))
    return [key for key in missing if not key.startswith(classifiers)]


@contextmanager
def _missing_weights() -> Iterator[list[str]]:
    """Names of weights that a file lacks: timm tells them its log, and nothing else, where it loads leniently."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if text.startswith("Missing keys ("):
                said.extend(text.removeprefix("Missing keys (").partition(") discovered")[0].split(", "))

    log, listener = logging.getLogger("timm.models._builder"), Listener(logging.INFO)
    level, propagate = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(listener)
    try:
        yield said
    finally:
        log.removeHandler(listener)
        log.setLevel(level)
        log.propagate = propagate


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, of pixels in [0, 1], that the encoder's weights were trained with.

    Raises:
        UsageError: timm has no such encoder.
    """
    check_encoder(name)
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)
