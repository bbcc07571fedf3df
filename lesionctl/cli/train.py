"""`lesionctl train`: from a store to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.options import Device, Json, OutFolder, PrecisionOption, terminal_of
from lesionctl.errors import UsageError
from lesionctl.runtime.precision import Precision
from lesionctl.train.options import Resume, TrainOptions

_NET, _SCHEDULE, _RECORD, _COMPUTING = "Network", "Schedule", "Record", "Computing"
_DEFAULT = TrainOptions()


def train(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A set made by `lesionctl prepare`.")],
    out: OutFolder,
    encoder: Annotated[
        str, typer.Option(help="Any timm encoder that offers feature maps.", rich_help_panel=_NET)
    ] = _DEFAULT.encoder,
    encoder_weights: Annotated[
        str,
        typer.Option(
            metavar="FILE|hub|none",
            help="Its weights: a file, timm's hub, or none for random ones.",
            rich_help_panel=_NET,
        ),
    ] = _DEFAULT.encoder_weights,
    init: Annotated[
        str,
        typer.Option(metavar="MODEL", help="Start from a model instead; its network is kept.", rich_help_panel=_NET),
    ] = _DEFAULT.init,
    decoder_channels: Annotated[
        str, typer.Option(help="Width of each decoder level, deepest first.", rich_help_panel=_NET)
    ] = ",".join(map(str, _DEFAULT.decoder_channels)),
    decoder_stride: Annotated[
        int, typer.Option(help="Where the decoder stops: 1, 2 or 4.", rich_help_panel=_NET)
    ] = _DEFAULT.decoder_stride,
    size: Annotated[
        int, typer.Option(help="Side of the network's square input, in pixels.", rich_help_panel=_NET)
    ] = _DEFAULT.size,
    epochs: Annotated[
        int, typer.Option(help="Passes over the training split.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.epochs,
    batch_size: Annotated[
        int, typer.Option(help="Pictures per step.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.batch_size,
    lr: Annotated[float, typer.Option(help="Highest learning rate.", rich_help_panel=_SCHEDULE)] = _DEFAULT.lr,
    weight_decay: Annotated[
        float, typer.Option(help="AdamW's decay of matrices and kernels.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.weight_decay,
    warmup: Annotated[
        float, typer.Option(help="Share of the steps in which the rate rises.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.warmup,
    clip: Annotated[
        float, typer.Option(help="Largest norm of the gradient.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.clip,
    ema: Annotated[
        float, typer.Option(help="Decay of the running mean of the weights.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.ema,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a better Dice.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.patience,
    augment: Annotated[
        bool, typer.Option(help="Vary the pictures at random.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.augment,
    seed: Annotated[
        int, typer.Option(min=0, help="Same seed, same weights on the CPU.", rich_help_panel=_SCHEDULE)
    ] = _DEFAULT.seed,
    resume: Annotated[
        Resume, typer.Option(help="What to do with a run that --out already holds.", rich_help_panel=_SCHEDULE)
    ] = Resume.AUTO,
    workers: Annotated[
        int, typer.Option(help="Processes that prepare batches; -1 chooses.", rich_help_panel=_COMPUTING)
    ] = _DEFAULT.workers,
    device: Device = _DEFAULT.device,
    precision: PrecisionOption = Precision.AUTO,
    name: Annotated[str, typer.Option(help="What the model is called.", rich_help_panel=_RECORD)] = _DEFAULT.name,
    licence: Annotated[
        str, typer.Option(help="Under what terms its weights can be used.", rich_help_panel=_RECORD)
    ] = _DEFAULT.licence,
    training_data: Annotated[
        str, typer.Option(help="What it learns from, in words.", rich_help_panel=_RECORD)
    ] = _DEFAULT.training_data,
    as_json: Json = False,
) -> None:
    """Train a U-Net; the result is one model file, OUT/model.safetensors.

    The same command goes on where an interrupted run stopped.

    Example: lesionctl train demo.store --out run --encoder-weights none --epochs 20
    """
    try:
        channels = tuple(int(width) for width in decoder_channels.split(","))
    except ValueError as error:
        raise UsageError(f"--decoder-channels '{decoder_channels}' is not of the form 256,128,64,32,16") from error
    if init:
        from lesionctl.runtime.load import find_model

        init = str(find_model(init).resolve())
    options = TrainOptions(
        encoder=encoder,
        encoder_weights=encoder_weights,
        init=init,
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
    from lesionctl.train.loop import train as run

    terminal = terminal_of(context)
    try:
        result = run(store, out, options, resume, terminal)
    finally:
        terminal.close()
    if as_json:
        terminal.json(
            {
                "model": str(result.model),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "threshold": result.threshold,
                "validation_per_image_mean": result.validation,
            }
        )
        return
    terminal.line(str(result.model))
    dice, jaccard = result.validation["dice"], result.validation["jaccard"]
    terminal.say(
        f"best of {result.epochs} epochs: {result.best_epoch}; threshold {result.threshold:.2f}; on the validation "
        f"split, at the store's resolution, per-image mean Dice {dice:.4f}, Jaccard {jaccard:.4f}"
    )
