"""`lesionctl train`: from a store to a model file."""

from __future__ import annotations

import os
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionctl.cli.options import Device, Json, PrecisionOption, flag, option, terminal_of
from lesionctl.cli.saved_config import save_training
from lesionctl.errors import UsageError
from lesionctl.nets.spec import Arch
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.world import find_world
from lesionctl.train.options import AUTO_BATCH_SIZE, Compile, Loss, Resume, Schedule, TrainOptions, parse_source_weights

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.train.loop import TrainResult
    from lesionctl.train.planning.plan_file import Plan

_DEFAULT = TrainOptions()
_ONECYCLE_RISE = 0.3  # Smith's own
_LR_FROM_MODEL = 2e-4  # weights that know lesions have less far to go
_plan, _plan_flag = (partial(kind, rich_help_panel="Planning") for kind in (option, flag))
_net, _net_flag = (partial(kind, rich_help_panel="Network") for kind in (option, flag))
_schedule = partial(option, rich_help_panel="Schedule")
_data = partial(option, rich_help_panel="Pictures")
_record, _record_flag = (partial(kind, rich_help_panel="Record") for kind in (option, flag))
_computing, _computing_flag = (partial(kind, rich_help_panel="Computing") for kind in (option, flag))


def train(
    context: typer.Context,
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A set made by `lesionctl prepare`.")],
    out: Annotated[Path | None, option(metavar="DIR", help="Where the result goes.")] = None,
    auto: Annotated[
        bool, _plan_flag("--auto", help="Choose all that is not given, and say why: OUT/plan.toml.")
    ] = False,
    budget: Annotated[
        str | None, _plan(metavar="TIME", help="How long the training may take, such as 90s, 30m or 2h; with --auto.")
    ] = None,
    dry_run: Annotated[bool, _plan_flag("--dry-run", help="Print the plan and stop; with --auto.")] = False,
    arch: Annotated[Arch, _net(help="What kind of network.")] = _DEFAULT.arch,
    encoder: Annotated[
        str | None, _net(metavar="ENCODER", help="Start from any timm encoder that offers feature maps.")
    ] = None,
    encoder_weights: Annotated[
        str | None,
        _net(
            metavar="FILE|hub|none", help="Its weights: a file, timm's hub, or none for random ones. \\[default: hub]"
        ),
    ] = None,
    init: Annotated[
        str | None,
        _net(metavar="MODEL", help=f"Or start from a model; its network is kept. \\[default: {DEFAULT_MODEL}]"),
    ] = None,
    allow_seen: Annotated[
        bool,
        _net_flag(
            "--allow-seen", help="Let that model or a teacher have seen the validation pictures; the scores are marked."
        ),
    ] = _DEFAULT.allow_seen,
    decoder_channels: Annotated[str, _net(help="U-Net: width of each decoder level, deepest first.")] = ",".join(
        map(str, _DEFAULT.decoder_channels)
    ),
    decoder_stride: Annotated[int, _net(help="U-Net: where the decoder stops: 1, 2 or 4.")] = _DEFAULT.decoder_stride,
    output_stride: Annotated[
        int, _net(help="DeepLabV3+: stride of the encoder's last features: 8 or 16.")
    ] = _DEFAULT.output_stride,
    widths: Annotated[str, _net(help="Classic U-Net: width of each level.")] = ",".join(map(str, _DEFAULT.widths)),
    size: Annotated[int, _net(help="Side of the network's square input, in pixels.")] = _DEFAULT.size,
    fold: Annotated[
        int | None, _data(help="Validate on this fold of a set that has folds, train on the others.")
    ] = _DEFAULT.fold,
    folds: Annotated[
        int | None, _data(metavar="K", help="Train all K folds, in OUT/fold-0 and so on: an ensemble.")
    ] = None,
    augment: Annotated[
        str,
        _data(metavar="none|light|standard|strong|FILE", help="How pictures are varied; FILE is a recipe in TOML."),
    ] = _DEFAULT.augment,
    show_augmentations: Annotated[
        Path | None, _data(metavar="FILE.png", help="Paint how pictures are varied, and stop.")
    ] = None,
    repeat: Annotated[
        int, _data(help="How often an epoch shows each picture; 0: once, or as often as 32 steps need.")
    ] = _DEFAULT.repeat,
    source_weight: Annotated[
        list[str] | None,
        _data(
            metavar="NAME=FACTOR",
            help="How often an epoch shows the pictures of a source: 2 twice, 0.5 every other time, 0 never.",
        ),
    ] = None,
    loss: Annotated[Loss, _schedule(help="What is made small.")] = _DEFAULT.loss,
    label_smoothing: Annotated[
        float, _schedule(help="How far the truth is moved from 0 and 1.")
    ] = _DEFAULT.label_smoothing,
    teacher: Annotated[
        list[str] | None,
        _schedule(metavar="MODEL", help="Learn from what that model, or the models of a folds directory, say too."),
    ] = None,
    teacher_share: Annotated[
        float, _schedule(help="What the teacher weighs against the truth: 1 is the teacher alone.")
    ] = _DEFAULT.teacher_share,
    epochs: Annotated[
        int, _schedule(help="Passes over the training split; 0: choose threshold and limits of --init anew.")
    ] = _DEFAULT.epochs,
    batch_size: Annotated[
        str, _schedule(metavar="N|auto", help="Pictures per forward pass in each process; auto takes what fits.")
    ] = str(_DEFAULT.batch_size),
    accumulate: Annotated[int, _schedule(help="Forward passes per step.")] = _DEFAULT.accumulate,
    lr: Annotated[
        float | None,
        _schedule(help=f"Highest learning rate. \\[default: {_DEFAULT.lr}; from a model: {_LR_FROM_MODEL}]"),
    ] = None,
    layer_decay: Annotated[
        float, _schedule(help="Rate of each stage of a pretrained encoder, as a share of the next one's.")
    ] = _DEFAULT.layer_decay,
    weight_decay: Annotated[float, _schedule(help="AdamW's decay of matrices and kernels.")] = _DEFAULT.weight_decay,
    schedule: Annotated[Schedule, _schedule(help="How the rate changes.")] = _DEFAULT.schedule,
    warmup: Annotated[
        float | None,
        _schedule(help=f"Share of the steps in which the rate rises. \\[default: {_DEFAULT.warmup}; onecycle: 0.3]"),
    ] = None,
    clip: Annotated[float, _schedule(help="Largest norm of the gradient.")] = _DEFAULT.clip,
    ema: Annotated[float, _schedule(help="Decay of the running mean of the weights.")] = _DEFAULT.ema,
    patience: Annotated[
        int, _schedule(metavar="EPOCHS", help="Stop after so many epochs without a better Dice.")
    ] = _DEFAULT.patience,
    seed: Annotated[int, _schedule(min=0, help="Same seed, same weights on the CPU.")] = _DEFAULT.seed,
    resume: Annotated[Resume, _record(help="What to do with a run that --out already holds.")] = Resume.AUTO,
    save_every: Annotated[
        float, _record(metavar="MINUTES", help="Minutes between two saved states within an epoch.")
    ] = _DEFAULT.save_every,
    overlays: Annotated[
        int, _record(metavar="EPOCHS", help="Paint some validation pictures every so many epochs; 0: never.")
    ] = _DEFAULT.overlays,
    tensorboard: Annotated[
        bool, _record_flag("--tensorboard", help="Write TensorBoard's files too.")
    ] = _DEFAULT.tensorboard,
    name: Annotated[str, _record(help="What the model is called.")] = _DEFAULT.name,
    licence: Annotated[str, _record(help="Under what terms its weights can be used.")] = _DEFAULT.licence,
    training_data: Annotated[str, _record(help="What it learns from, in words.")] = _DEFAULT.training_data,
    workers: Annotated[
        int, _computing(help="Processes that prepare batches; -1: as many as are good here.")
    ] = _DEFAULT.workers,
    device: Device = _DEFAULT.device,
    precision: PrecisionOption = Precision.AUTO,
    compile_: Annotated[
        Compile, _computing("--compile", help="Let torch compile the network first.")
    ] = _DEFAULT.compile,
    deterministic: Annotated[
        bool, _computing_flag("--deterministic", help="Same weights on a GPU too, at some cost in speed.")
    ] = _DEFAULT.deterministic,
    as_json: Json = False,
) -> None:
    """Train a network, or fine-tune a model, on a prepared set.

    The result is one model file, OUT/model.safetensors. The same command goes on where an interrupted run stopped. All
    processes of torchrun or srun train one model.

    Examples:
        # fine-tune the bundled model
        lesionctl train demo.store --out run --epochs 10
        # let it choose, for half an hour, and say why
        lesionctl train demo.store --out chosen --auto --budget 30m
        # a network over an encoder's ImageNet weights
        lesionctl train demo.store --out deeplab --arch deeplabv3plus --encoder resnet34 --size 320
    """
    terminal = terminal_of(context)
    world = find_world(os.environ)
    if world is not None and world.rank > 0:  # the first of several processes speaks for all
        terminal.quiet = True
    options = _read_options(context.params)
    if show_augmentations is not None:
        _paint(store, options, show_augmentations, terminal)
        return
    if not auto:
        _refuse_what_does_not_apply(_given(context), options)
    if (budget or dry_run) and not auto:
        raise UsageError("--budget and --dry-run belong to --auto", hint="add --auto, or choose --epochs yourself")
    if budget and "epochs" in _given(context):
        raise UsageError("--budget and --epochs exclude each other", hint="give the time, or the number of epochs")
    if auto and dry_run:
        _make_plan(context, store, options, budget, terminal, show=True)
        return
    if out is None:
        raise UsageError("--out is missing", hint="name a directory for the run, such as --out run")
    if auto:
        options = _keep_or_make_plan(context, store, out, options, budget, terminal, alone=world is None)
    save_training(context, store, options, folds)
    if options.init:
        terminal.say(f"starting from {options.init}")
    if options.teacher:
        terminal.say(f"taught by {', '.join(options.teacher)}, with a share of {options.teacher_share:g}")
    if folds is not None:
        _train_folds(store, out, options, folds, resume, terminal, as_json=as_json)
        return
    from lesionctl.train.loop import train as run

    result = run(store, out, options, resume, terminal)
    if result is not None:  # the first of several processes tells what came of them
        _show(result, terminal, as_json=as_json)


def _read_options(given: dict[str, Any]) -> TrainOptions:
    """The options of the run from the parameters as they were typed."""
    from lesionctl.runtime.load import find_model, find_models

    values = {field.name: given[field.name] for field in fields(TrainOptions) if field.name in given}
    values["compile"] = given["compile_"]
    for name in ("decoder_channels", "widths"):
        try:
            values[name] = tuple(int(width) for width in given[name].split(","))
        except ValueError as error:
            key = name.replace("_", "-")
            raise UsageError(f"--{key} '{given[name]}' is not of the form 256,128,64,32,16") from error
    if given["warmup"] is None:
        values["warmup"] = _ONECYCLE_RISE if given["schedule"] is Schedule.ONECYCLE else _DEFAULT.warmup
    values["batch_size"] = _read_batch_size(given["batch_size"])
    values["teacher"] = tuple(str(path.resolve()) for path in find_models(given["teacher"] or ()))
    values["source_weight"] = parse_source_weights(given["source_weight"] or ())
    encoder, init, arch = given["encoder"], given["init"], given["arch"]
    if init and (encoder or arch is not _DEFAULT.arch):
        raise UsageError(
            "--init and a network of your own exclude each other", hint="leave out --init, or --encoder and --arch"
        )
    if encoder and arch is Arch.CLASSIC:
        raise UsageError("the classic U-Net has no encoder to choose", hint="leave out --encoder, or take --arch unet")
    from_model = init or not (encoder or arch is not _DEFAULT.arch)
    if given["encoder_weights"] and (from_model or arch is Arch.CLASSIC):
        raise UsageError("--encoder-weights needs --encoder", hint=f"such as --encoder {_DEFAULT.encoder}")
    if given["allow_seen"] and not (from_model or values["teacher"]):
        raise UsageError("--allow-seen is about a model to start from, not --encoder", hint="leave one of them out")
    if given["lr"] is None:
        values["lr"] = _LR_FROM_MODEL if from_model else _DEFAULT.lr
    values["encoder"] = encoder or _DEFAULT.encoder
    values["encoder_weights"] = given["encoder_weights"] or ("none" if arch is Arch.CLASSIC else "hub")
    values["init"] = str(find_model(init or DEFAULT_MODEL).resolve()) if from_model else ""
    return TrainOptions(**values)


def _refuse_what_does_not_apply(given: frozenset[str], options: TrainOptions) -> None:
    """Raise a UsageError for an option of a network or of a teacher that this run does not have."""
    if "teacher_share" in given and not options.teacher:
        raise UsageError("--teacher-share does nothing without --teacher", hint="name one, or leave it out")
    if options.teacher and not options.epochs:
        raise UsageError("--teacher does nothing with --epochs 0: nothing is learned", hint="leave one of them out")
    build = {Arch.UNET: {"decoder_channels", "decoder_stride"}, Arch.DEEPLABV3PLUS: {"output_stride"}}
    builds = set() if options.init else build.get(options.arch, {"widths"})
    others = given & {"decoder_channels", "decoder_stride", "output_stride", "widths"} - builds
    if not options.init and options.arch is Arch.CLASSIC:
        others |= given & {"layer_decay"}
    if others:
        name = sorted(others)[0].replace("_", "-")
        what = "a model keeps its own network" if options.init else f"the {options.arch.label} does not have it"
        hint = "name a network with --encoder or --arch, or leave it out" if options.init else "leave it out"
        raise UsageError(f"--{name} does nothing here: {what}", hint)


def _read_batch_size(text: str) -> int:
    if text == "auto":
        return AUTO_BATCH_SIZE
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise UsageError(f"--batch-size cannot be '{text}'", hint="give a number of pictures, or auto")


def _keep_or_make_plan(
    context: typer.Context,
    store: Path,
    out: Path,
    options: TrainOptions,
    budget: str | None,
    terminal: Terminal,
    *,
    alone: bool,
) -> TrainOptions:
    """The options as the plan in the run directory has them; where there is none, a new one is written."""
    from lesionctl.atomic import write_text
    from lesionctl.train.planning.plan_file import PLAN_FILE, read_plan

    file = out / PLAN_FILE
    if file.is_file():
        terminal.say(f"keeping to {file}")
        given = _given(context)
        planned = {name: value for name, value in read_plan(file).items() if name not in given}
        if given & {"arch", "encoder"}:  # a network that is typed does not start from the plan's model
            planned["init"] = ""
        return replace(options, **planned)
    if not alone:
        raise UsageError(
            "a plan is made by one process, not by several at once",
            hint="first: lesionctl train … --auto --dry-run > plan.toml; then: lesionctl --config plan.toml train …",
        )
    plan = _make_plan(context, store, options, budget, terminal, show=False)
    out.mkdir(parents=True, exist_ok=True)
    write_text(file, plan.to_toml())
    terminal.say(f"planned: {file}")
    return plan.options


def _make_plan(
    context: typer.Context, store: Path, options: TrainOptions, budget: str | None, terminal: Terminal, *, show: bool
) -> Plan:
    from lesionctl.dataset.store import open_store
    from lesionctl.runtime.device import choose_compute
    from lesionctl.train.planning.duration import parse_duration
    from lesionctl.train.planning.plan import make_plan

    folds = context.params["folds"] or 1
    seconds = None if budget is None else parse_duration(budget) / folds
    compute = choose_compute(options.device, options.precision)
    plan = make_plan(open_store(store), options, _given(context), seconds, compute, terminal)
    if seconds is not None and folds > 1:
        shared = f"{budget} are for {folds} folds together; the epochs are those of each."
        plan = replace(plan, remarks=(*plan.remarks, shared))
    if show:
        terminal.line(plan.to_toml().rstrip("\n"))
    return plan


def _given(context: typer.Context) -> frozenset[str]:
    """Names of the options that were typed, or stand in a variable or a configuration file."""
    known = {field.name for field in fields(TrainOptions)}
    sources = {name: context.get_parameter_source(name) for name in context.params}
    named = {name.rstrip("_") for name, source in sources.items() if source is not None and source.name != "DEFAULT"}
    return frozenset(named & known)


def _train_folds(
    store: Path, out: Path, options: TrainOptions, folds: int, resume: Resume, terminal: Terminal, *, as_json: bool
) -> None:
    from lesionctl.train.folds import train_folds

    result = train_folds(store, out, options, resume, terminal, folds=folds)
    if result is None:  # the first of several processes tells what came of them
        return
    if as_json:
        terminal.json(result.to_dict())
        return
    terminal.line(str(result.out))
    shown = ("dice", "jaccard", "thresholded_jaccard")
    rows = [
        [f"fold {number}", str(fold.pictures), *(f"{fold.figures[name]:.4f}" for name in shown)]
        for number, fold in enumerate(result.folds)
    ]
    rows.append(["mean ± sd", "", *(f"{result.mean(name):.4f} ± {result.deviation(name):.4f}" for name in shown)])
    mark = f" ({result.remark})" if result.remark else ""
    terminal.table(
        f"out of fold, at the store's resolution, mean per image; threshold {result.threshold:.2f}, "
        f"{result.postprocess.describe()}{mark}",
        ["", "pictures", *(name.replace("_", " ") for name in shown)],
        rows,
    )


def _paint(store: Path, options: TrainOptions, file: Path, terminal: Terminal) -> None:
    from lesionctl.atomic import write_bytes
    from lesionctl.dataset.store import open_store
    from lesionctl.train.augment.recipe import read_recipe
    from lesionctl.train.augment.sheet import paint_sheet

    write_bytes(file, paint_sheet(open_store(store), read_recipe(options.augment), options.size, options.seed))
    terminal.line(str(file))


def _show(result: TrainResult, terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.json(
            {
                "model": str(result.model),
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "threshold": result.threshold,
                "postprocess": asdict(result.postprocess),
                "validation_per_image_mean": result.validation,
                "validation_seen_by_ancestor": result.seen and asdict(result.seen),
            }
        )
        return
    terminal.line(str(result.model))
    dice, jaccard = result.validation["dice"], result.validation["jaccard"]
    mark = f" ({result.remark})" if result.remark else ""
    weights = f"best of {result.epochs} epochs: {result.best_epoch}" if result.epochs else "weights as they were"
    terminal.say(
        f"{weights}; threshold {result.threshold:.2f}, "
        f"{result.postprocess.describe()}; on the validation split, at the store's resolution, per-image mean "
        f"Dice {dice:.4f}, Jaccard {jaccard:.4f}{mark}"
    )
