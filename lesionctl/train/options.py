"""What a training run is asked for, checked once."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lesionctl.errors import UsageError
from lesionctl.nets.spec import Arch
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable


class Resume(StrEnum):
    """What to do with the state that a run directory already holds."""

    AUTO = "auto"
    """Go on where it stopped, if there is a state; else begin."""
    NEVER = "never"
    """Begin anew; refused where a run stands already."""
    MUST = "must"
    """Go on; refused where there is no state."""


class Loss(StrEnum):
    """What training makes small."""

    BCE_DICE = "bce-dice"
    FOCAL = "focal"
    TVERSKY = "tversky"
    FOCAL_TVERSKY = "focal-tversky"
    LOVASZ = "lovasz"
    BOUNDARY_BCE = "boundary-bce"


class Schedule(StrEnum):
    """How the learning rate changes."""

    COSINE = "cosine"
    POLY = "poly"
    ONECYCLE = "onecycle"
    PLATEAU = "plateau"


class Compile(StrEnum):
    """Whether torch compiles the network before it is trained."""

    OFF = "off"
    ON = "on"
    CUDA_GRAPHS = "cuda-graphs"
    """Compiled, and its kernels recorded once and replayed; for small networks on a GPU."""


AUTO_BATCH_SIZE = 0
"""Batch size that stands for the largest one that fits."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes:
        arch: What kind of network.
        encoder: timm's name of the encoder.
        encoder_weights: A file, "hub", or "none" for random weights.
        init: A model file whose network and weights to start from; the options of the network then do not apply.
        teacher: Model files whose probabilities it learns from besides the truth; several answer together.
        teacher_share: What they weigh against the truth, in (0, 1].
        allow_seen: Whether these models may have seen the validation pictures; the scores are marked then.
        decoder_channels: Width of each level of a U-Net's decoder, deepest first.
        decoder_stride: Where a U-Net's decoder stops: 1, 2 or 4.
        output_stride: Stride of the encoder's last features in DeepLabV3+: 8 or 16.
        widths: Width of each level of the classic U-Net, from the top down.
        size: Side of the network's square input, in pixels.
        loss: What is made small.
        label_smoothing: How far the truth is moved from 0 and 1 towards one half, in [0, 1).
        fold: Which fold of a prepared set to validate on; None takes its splits as they stand.
        epochs: Passes over the training split; 0 trains nothing: threshold, post-processing and limits are chosen anew
            for the weights of `init`.
        repeat: How often an epoch shows each picture; 0 chooses: once, or as often as 32 steps need.
        source_weight: How often an epoch shows the pictures of a source, as (name, factor) by name: 2 twice, one half
            every other time, 0 never. Sources that are not named are shown once.
        batch_size: Pictures per forward pass in each process; `AUTO_BATCH_SIZE` takes what fits.
        accumulate: Forward passes per step.
        lr: Highest learning rate.
        layer_decay: Rate of each stage of a pretrained encoder, as a share of that of the stage behind it, in (0, 1].
        weight_decay: AdamW's decay, of matrices and kernels alone.
        schedule: How the rate changes.
        warmup: Share of all steps in which the rate rises to its highest, in [0, 1).
        clip: Largest norm of the gradient.
        ema: Decay of the running mean of the weights, in [0, 1); the mean is what is validated and saved.
        patience: Epochs without a better validation Dice after which training stops.
        augment: How pictures are varied: none, light, standard, strong, or a recipe's file.
        seed: Same seed, same data, same machine: same weights on the CPU.
        deterministic: Whether a GPU must give the same weights too, at some cost in speed.
        save_every: Minutes between two states on disk within an epoch.
        overlays: Epochs between two sheets of validation pictures; 0 paints none.
        tensorboard: Whether to write TensorBoard's files too.
        workers: Processes that prepare batches; -1 chooses by device, 0 works in the training process.
        device: See `choose_compute`.
        precision: See `choose_compute`.
        compile: Whether torch compiles the network.
        name: What the model is called.
        licence: Under what terms its weights can be used.
        training_data: What it learns from, in words.

    Raises:
        UsageError: A value is out of its range.
    """

    arch: Arch = Arch.UNET
    encoder: str = "tf_efficientnet_lite0"
    encoder_weights: str = "hub"
    init: str = ""
    teacher: tuple[str, ...] = ()
    teacher_share: float = 0.5
    allow_seen: bool = False
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    decoder_stride: int = 2
    output_stride: int = 16
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    size: int = 256
    loss: Loss = Loss.BCE_DICE
    label_smoothing: float = 0.0
    fold: int | None = None
    epochs: int = 40
    repeat: int = 0
    source_weight: tuple[tuple[str, float], ...] = ()
    batch_size: int = 16
    accumulate: int = 1
    lr: float = 1e-3
    layer_decay: float = 1.0
    weight_decay: float = 1e-2
    schedule: Schedule = Schedule.COSINE
    warmup: float = 0.05
    clip: float = 1.0
    ema: float = 0.999
    patience: int = 10
    augment: str = "standard"
    seed: int = 0
    deterministic: bool = False
    save_every: float = 10.0
    overlays: int = 5
    tensorboard: bool = False
    workers: int = -1
    device: str = "auto"
    precision: Precision = Precision.AUTO
    compile: Compile = Compile.OFF
    name: str = "unnamed"
    licence: str = "not stated"
    training_data: str = "not stated"

    def __post_init__(self) -> None:
        """Check the values."""
        checks = {
            "decoder_stride": self.decoder_stride in (1, 2, 4),
            "decoder_channels": bool(self.decoder_channels) and min(self.decoder_channels) > 0,
            "output_stride": self.output_stride in (8, 16),
            "widths": bool(self.widths) and min(self.widths) > 0,
            "size": self.size >= 32,
            "teacher_share": 0 < self.teacher_share <= 1,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "epochs": self.epochs >= (0 if self.init else 1),
            "repeat": self.repeat >= 0,
            "source_weight": all(0 <= factor < math.inf for _, factor in self.source_weight),
            "batch_size": self.batch_size >= AUTO_BATCH_SIZE,
            "accumulate": self.accumulate >= 1,
            "lr": self.lr > 0,
            "layer_decay": 0 < self.layer_decay <= 1,
            "weight_decay": self.weight_decay >= 0,
            "warmup": 0 <= self.warmup < 1,
            "clip": self.clip > 0,
            "ema": 0 <= self.ema < 1,
            "patience": self.patience >= 1,
            "seed": 0 <= self.seed < 2**63,
            "save_every": self.save_every > 0,
            "overlays": self.overlays >= 0,
            "workers": self.workers >= -1,
        }
        for name, holds in checks.items():
            if not holds:
                raise UsageError(f"--{name.replace('_', '-')} cannot be {getattr(self, name)}")

    def resolved(self) -> dict[str, Any]:
        """Every value that there is, in forms that TOML has and that `--config` takes back."""
        forms = {StrEnum: str, tuple: list}
        values: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if value in (None, ()):
                continue
            form = next((form for kind, form in forms.items() if isinstance(value, kind)), None)
            values[name] = value if form is None else form(value)
        if self.batch_size == AUTO_BATCH_SIZE:
            values["batch_size"] = "auto"
        if self.source_weight:
            values["source_weight"] = [f"{name}={factor!r}" for name, factor in self.source_weight]
        if not self.teacher:
            del values["teacher_share"]
        return values


def parse_source_weights(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Factors of sources as a person types them, `ham10000=0.5`, in the form of `TrainOptions`.

    Raises:
        UsageError: One is of another form, or a source is named twice.
    """
    factors: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            factor = float(number)
        except ValueError:
            factor = math.nan
        if not name or not 0 <= factor < math.inf:
            raise UsageError(
                f"--source-weight '{text}' is not of the form NAME=FACTOR",
                hint="such as ham10000=0.5, or ham10000=0 to leave that source out",
            )
        if name in factors:
            raise UsageError(f"--source-weight names '{name}' twice", hint="give each source one factor")
        factors[name] = factor
    return tuple(sorted(factors.items()))
