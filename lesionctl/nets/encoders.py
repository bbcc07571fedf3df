"""Encoders: any timm model that offers `features_only`, with weights from a file, from the hub, or none."""

from __future__ import annotations

import logging
import pickle
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from lesionctl.errors import BadFile, LesionctlError, UsageError
from lesionctl.nets.timm_import import timm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

HUB = "hub"
"""Word for "the weights that timm's hub has for this encoder"."""


def build_encoder(name: str, in_channels: int, weights: Path | str | None = None) -> nn.Module:
    """Build an encoder that returns a list of feature maps, finest first.

    Args:
        name: timm's name of the model.
        in_channels: Channels of the input.
        weights: A file with a timm state dict (.safetensors or .pth), `HUB`, or None for random weights.

    Returns:
        A module; `encoder.feature_info.channels()` and `.reduction()` say what it returns.

    Raises:
        UsageError: timm has no such model, or it offers no feature maps.
        BadFile: The weights file is missing or does not fit the encoder.
        LesionctlError: The hub cannot be reached.
    """
    if not timm.is_model(name):
        near = get_close_matches(name.lower().replace("-", "_"), timm.list_models(), n=5)
        raise UsageError(
            f"timm has no encoder named '{name}'", hint=f"some near names: {', '.join(near)}" if near else None
        )
    overlay = None
    if weights is not None and weights != HUB:
        path = Path(weights)
        if not path.is_file():
            raise BadFile(path, "no such file of encoder weights")
        overlay = {"file": str(path)}
    try:
        with _missing_weights() as missing:
            encoder: nn.Module = timm.create_model(
                name,
                features_only=True,
                in_chans=in_channels,
                pretrained=weights is not None,
                pretrained_cfg_overlay=overlay,
            )
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
        if overlay is not None:
            raise BadFile(overlay["file"], f"these weights do not fit the encoder '{name}' ({error})") from error
        if weights == HUB:
            raise LesionctlError(
                f"the hub's weights for '{name}' cannot be had: {error}",
                hint="pass --encoder-weights FILE, or --encoder-weights none to start from random weights",
            ) from error
        raise UsageError(f"timm's '{name}' offers no feature maps: {error}") from error
    if overlay is not None and missing:
        raise BadFile(overlay["file"], f"these weights do not fit the encoder '{name}' ({missing[0]})")
    return encoder


@contextmanager
def _missing_weights() -> Iterator[list[str]]:
    """What timm says of weights that a file lacks: it tells its log, and nothing else, where it loads leniently."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if text.startswith("Missing keys"):
                said.append(text if len(text) < 120 else text[:120] + "…")

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
    """Mean and standard deviation per channel, of pixels in [0, 1], that the encoder's weights were trained with."""
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)
