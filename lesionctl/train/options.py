"""What a training run is asked for, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lesionctl.errors import UsageError
from lesionctl.nets.spec import DECODER_STRIDES
from lesionctl.runtime.precision import Precision


class Resume(StrEnum):
    """What to do with the state that a run directory already holds."""

    AUTO = "auto"
    """Go on where it stopped, if there is a state; else begin."""
    NEVER = "never"
    """Begin anew; refused where a run stands already."""
    MUST = "must"
    """Go on; refused where there is no state."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes:
        encoder: timm's name of the encoder.
        encoder_weights: A file, "hub", or "none" for random weights.
        init: A model file whose network and weights to start from; the encoder options then do not apply.
        allow_seen: Whether that model may have seen the validation pictures; the scores are marked then.
        fold: Which fold of a prepared set to validate on; None takes its splits as they stand.
        decoder_channels: Width of each decoder level, deepest first.
        decoder_stride: Where the decoder stops: 1, 2 or 4.
        size: Side of the network's square input, in pixels.
        epochs: Passes over the training split.
        batch_size: Pictures per step.
        lr: Highest learning rate.
        weight_decay: AdamW's decay, of matrices and kernels alone.
        warmup: Share of all steps in which the rate rises to its highest, in [0, 1).
        clip: Largest norm of the gradient.
        ema: Decay of the running mean of the weights, in [0, 1); the mean is what is validated and saved.
        patience: Epochs without a better validation Dice after which training stops.
        augment: Whether to vary the pictures at random.
        seed: Same seed, same data, same machine: same weights on the CPU.
        workers: Processes that prepare batches; -1 chooses by device, 0 works in the training process.
        device: See `choose_compute`.
        precision: See `choose_compute`.
        name: What the model is called.
        licence: Under what terms its weights can be used.
        training_data: What it learns from, in words.

    Raises:
        UsageError: A value is out of its range.
    """

    encoder: str = "tf_efficientnet_lite0"
    encoder_weights: str = "hub"
    init: str = ""
    allow_seen: bool = False
    fold: int | None = None
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    decoder_stride: int = 2
    size: int = 256
    epochs: int = 40
    batch_size: int = 16
    lr: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    ema: float = 0.999
    patience: int = 10
    augment: bool = True
    seed: int = 0
    workers: int = -1
    device: str = "auto"
    precision: Precision = Precision.AUTO
    name: str = "unnamed"
    licence: str = "not stated"
    training_data: str = "not stated"

    def __post_init__(self) -> None:
        """Check the values."""
        checks = {
            "decoder_stride": self.decoder_stride in DECODER_STRIDES,
            "decoder_channels": bool(self.decoder_channels) and min(self.decoder_channels) > 0,
            "size": self.size >= 32,
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "lr": self.lr > 0,
            "weight_decay": self.weight_decay >= 0,
            "warmup": 0 <= self.warmup < 1,
            "clip": self.clip > 0,
            "ema": 0 <= self.ema < 1,
            "patience": self.patience >= 1,
            "seed": self.seed >= 0,
            "workers": self.workers >= -1,
        }
        for name, holds in checks.items():
            if not holds:
                raise UsageError(f"--{name.replace('_', '-')} cannot be {getattr(self, name)}")

    def resolved(self) -> dict[str, Any]:
        """Every value that there is, in forms that TOML has."""
        return {
            **{name: value for name, value in asdict(self).items() if value is not None},
            "decoder_channels": list(self.decoder_channels),
            "precision": str(self.precision),
        }
