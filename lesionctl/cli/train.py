"""`lesionctl train`: from a store to a model file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.options import Device, Json, OutFolder, PrecisionOption, flag, option, terminal_of
from lesionctl.errors import UsageError
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.load import find_model
from lesionctl.runtime.precision import Precision
from lesionctl.train.options import Resume, TrainOptions

_NET, _SCHEDULE, _RECORD, _COMPUTING = "Network", "Schedule", "Record", "Computing"
_DEFAULT = TrainOptions()


def train(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A set made by `lesionctl prepare`.")],
    out: OutFolder,
    encoder: Annotated[
        str | None, option(help="Start from any timm encoder that offers feature maps.", rich_help_panel=_NET)
    ] = None,
    encoder_weights: Annotated[
        str | None,
        option(
            metavar="FILE|hub|none",
            help="Its weights: a file, timm's hub, or none for random ones. [default: hub]",
            rich_help_panel=_NET,
        ),
    ] = None,
    init: Annotated[
        str | None,
        option(
            metavar="MODEL",
            help=f"Or start from a model; its network is kept. [default: {DEFAULT_MODEL}, without --encoder]",
            rich_help_panel=_NET,
        ),
    ] = None,
    allow_seen: Annotated[
        bool,
        flag(
            "--allow-seen",
            help="Let that model have seen the validation pictures; the scores are marked.",
            rich_help_panel=_NET,
        ),
    ] = _DEFAULT.allow_seen,
    decoder_channels: Annotated[
        str, option(help="Width of each decoder level, deepest first.", rich_help_panel=_NET)
    ] = ",".join(map(str, _DEFAULT.decoder_channels)),
    decoder_stride: Annotated[
        int, option(help="Where the decoder stops: 1, 2 or 4.", rich_help_panel=_NET)
    ] = _DEFAULT.decoder_stride,
    size: Annotated[
        int, option(help="Side of the network's square input, in pixels.", rich_help_panel=_NET)
    ] = _DEFAULT.size,
    fold: Annotated[
        int | None,
        option(help="Validate on this fold of a set that has folds, train on the others.", rich_help_panel=_SCHEDULE),
    ] = _DEFAULT.fold,
    epochs: Annotated[int, option(help="Passes over the training split.", rich_help_panel=_SCHEDULE)] = _DEFAULT.epochs,
    batch_size: Annotated[int, option(help="Pictures per step.", rich_help_panel=_SCHEDULE)] = _DEFAULT.batch_size,
    lr: Annotated[float, option(help="Highest learning rate.", rich_help_panel=_SCHEDULE)] = _DEFAULT.lr,
    weight_decay: Annotated[
        float, option(help="AdamW's decay of matrices and kernels.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.weight_decay,
    warmup: Annotated[
        float, option(help="Share of the steps in which the rate rises.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.warmup,
    clip: Annotated[float, option(help="Largest norm of the gradient.", rich_help_panel=_SCHEDULE)] = _DEFAULT.clip,
    ema: Annotated[
        float, option(help="Decay of the running mean of the weights.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.ema,
    patience: Annotated[
        int, option(help="Stop after so many epochs without a better Dice.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.patience,
    augment: Annotated[bool, flag(help="Vary the pictures at random.", rich_help_panel=_SCHEDULE)] = _DEFAULT.augment,
    seed: Annotated[
        int, option(min=0, help="Same seed, same weights on the CPU.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.seed,
    resume: Annotated[
        Resume, option(help="What to do with a run that --out already holds.", rich_help_panel=_SCHEDULE)
    ] = Resume.AUTO,
    workers: Annotated[
        int, option(help="Processes that prepare batches; -1 chooses.", rich_help_panel=_COMPUTING)
    ] = _DEFAULT.workers,
    device: Device = _DEFAULT.device,
    precision: PrecisionOption = Precision.AUTO,
    name: Annotated[str, option(help="What the model is called.", rich_help_panel=_RECORD)] = _DEFAULT.name,
    licence: Annotated[
        str, option(help="Under what terms its weights can be used.", rich_help_panel=_RECORD)
    ] = _DEFAULT.licence,
    training_data: Annotated[
        str, option(help="What it learns from, in words.", rich_help_panel=_RECORD)
    ] = _DEFAULT.training_data,
    as_json: Json = False,
) -> None:
    """Train a U-Net; the result is one model file, OUT/model.safetensors.

    The same command goes on where an interrupted run stopped.

    Example: lesionctl train demo.store --out run --epochs 10

    Example: lesionctl train isic.store --out run --encoder resnet34 --size 320
    """
    try:
        channels = tuple(int(width) for width in decoder_channels.split(","))
    except ValueError as error:
        raise UsageError(f"--decoder-channels '{decoder_channels}' is not of the form 256,128,64,32,16") from error
    if init and encoder:
        raise UsageError("--init and --encoder exclude each other", hint="a model brings its own encoder")
    if encoder_weights and not encoder:
        raise UsageError("--encoder-weights needs --encoder", hint=f"such as --encoder {_DEFAULT.encoder}")
    if allow_seen and encoder:
        raise UsageError("--allow-seen is about a model to start from, not --encoder", hint="leave one of them out")
    if not encoder:
        init = init or DEFAULT_MODEL
    options = TrainOptions(
        encoder=encoder or _DEFAULT.encoder,
        encoder_weights=encoder_weights or _DEFAULT.encoder_weights,
        init=str(find_model(init).resolve()) if init else "",
        allow_seen=allow_seen,
        fold=fold,
        decoder_channels=channels,
        decoder_stride=decoder_stride,
        size=size,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        ema=ema,
        patience=patience,
        augment=augment,
        seed=seed,
        workers=workers,
        device=device,
        precision=precision,
        name=name,
        licence=licence,
        training_data=training_data,
    )
    terminal = terminal_of(context)
    if options.init:
        terminal.say(f"starting from {options.init}")
    from lesionctl.train.loop import train as run

    result = run(store, out, options, resume, terminal)
    if as_json:
        terminal.json(
            {
                "model": str(result.model),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "threshold": result.threshold,
                "validation_per_image_mean": result.validation,
                "validation_seen_by_ancestor": result.seen and asdict(result.seen),
            }
        )
        return
    terminal.line(str(result.model))
    dice, jaccard = result.validation["dice"], result.validation["jaccard"]
    mark = f" ({result.remark})" if result.remark else ""
    terminal.say(
        f"best of {result.epochs} epochs: {result.best_epoch}; threshold {result.threshold:.2f}; on the validation "
        f"split, at the store's resolution, per-image mean Dice {dice:.4f}, Jaccard {jaccard:.4f}{mark}"
    )
