"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.swa_utils import AveragedModel

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import Interrupted, LesionctlError, MissingExtra, UsageError
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.nets.timm_import import param_groups_weight_decay
from lesionctl.progress import Progress, Silent
from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.stop import listen_for_stop
from lesionctl.runtime.torch_segmenter import Normalize, TorchSegmenter
from lesionctl.train.data import EpochBatches, make_loader
from lesionctl.train.losses import bce_dice_loss
from lesionctl.train.options import Resume, TrainOptions
from lesionctl.train.record import write_config, write_curves, write_metrics
from lesionctl.train.schedule import warmup_cosine
from lesionctl.train.start import remark_on, start
from lesionctl.train.state import RunState, identify_run, load_state, save_state
from lesionctl.train.validate import choose_threshold, score_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from lesionctl.dataset.exposure import SeenCount


@dataclass(frozen=True)
class TrainResult:
    """What came of a run.

    Attributes:
        model: The model file: the best epoch's weights and the threshold that validation chose for them.
        epochs: Epochs that were trained.
        best_epoch: The best of them, from 1.
        threshold: The model's threshold.
        validation: Per-image mean figures of the model on the validation split, at the store's resolution.
        seen: How many pictures of that split its ancestor has seen; None where there is none, or it does not say.
    """

    model: Path
    epochs: int
    best_epoch: int
    threshold: float
    validation: dict[str, float]
    seen: SeenCount | None

    @property
    def remark(self) -> str:
        """What must be said beside the validation figures; often nothing."""
        return remark_on(self.seen)


def train(
    store_path: Path,
    out: Path,
    options: TrainOptions,
    resume: Resume = Resume.AUTO,
    progress: Progress | None = None,
) -> TrainResult:
    """Train a model on the training split of a store.

    Args:
        store_path: A prepared set with a training and a validation split.
        out: The run directory: model.safetensors (best), last.safetensors, metrics.csv, curves.png, config.toml, and
            state.pt to go on from.
        options: How.
        resume: What to do with a state that `out` already holds.
        progress: Who listens.

    Raises:
        UsageError: The options make no sense for this store or this machine, or `out` holds another run.
        GateError: The model to start from has seen pictures of the validation split.
        Interrupted: A signal asked to stop; the state is saved.
        LesionctlError: The loss is no longer a number.
    """
    progress = progress or Silent()
    compute = choose_compute(options.device, options.precision)
    store = open_store(store_path)
    if options.fold is not None:
        store = store.at_fold(options.fold)
    train_rows, val_rows = store.rows(Split.TRAIN), store.rows(Split.VALIDATION)
    for split, rows in ((Split.TRAIN, train_rows), (Split.VALIDATION, val_rows)):
        if not len(rows):
            raise UsageError(f"{store_path} has no {split} split", hint="prepare it with --split 70/10/20")

    torch.manual_seed(options.seed)
    spec, net, seen = start(options, store, progress)
    net = compute.place(net)
    ema = AveragedModel(net, multi_avg_fn=_running_mean(options.ema), use_buffers=True)
    train_depthwise_in_float32(net, compute)
    normalize = compute.place(Normalize(spec.mean, spec.std))
    optimizer = torch.optim.AdamW(
        param_groups_weight_decay(net, options.weight_decay),
        lr=options.lr,
        fused=compute.device.type != "mps",
    )
    scaler = torch.amp.GradScaler(compute.device.type, enabled=compute.precision is Precision.FP16)
    batches = EpochBatches(train_rows, options.batch_size, options.seed)
    loader = make_loader(store, batches, options, compute.device)
    total_steps = options.epochs * batches.steps

    out.mkdir(parents=True, exist_ok=True)
    run = identify_run(options, store.info)
    modules: dict[str, Any] = {"net": net, "ema": ema, "optimizer": optimizer, "scaler": scaler}
    state = load_state(out / "state.pt", run, resume) or RunState(run)
    for name, values in state.modules.items():
        if values:  # a scaler has none where the run did not need one so far
            modules[name].load_state_dict(values)
    if state.epoch or state.step:
        progress.say(f"going on with epoch {state.epoch + 1}, step {state.step + 1}")
    remark = remark_on(seen)
    remarks = [f"data: {run['data']}"] + ([f"validation: {remark}"] if remark else [])
    write_config(out / "config.toml", store_path.resolve(), options, remarks)

    def save() -> None:
        state.modules = {name: module.state_dict() for name, module in modules.items()}
        save_state(out / "state.pt", state)

    def segmenter() -> TorchSegmenter:
        return TorchSegmenter(spec, ema.module, compute)

    with listen_for_stop() as stop:
        while state.epoch < options.epochs and state.epoch - state.best_epoch <= options.patience:
            began, shown = time.perf_counter(), 0
            batches.epoch, batches.start = state.epoch, state.step
            net.train()
            with progress.task(f"epoch {state.epoch + 1} of {options.epochs}", len(batches)) as task:
                for images, truth in loader:
                    done = state.epoch * batches.steps + state.step
                    for group in optimizer.param_groups:
                        group["lr"] = options.lr * warmup_cosine(done, total_steps, options.warmup)

                    images = images.to(compute.device, non_blocking=True)
                    truth = truth.to(compute.device, non_blocking=True)
                    with compute.autocast():
                        logits = net(normalize(images))
                    loss: Tensor = bce_dice_loss(logits, truth)
                    optimizer.zero_grad(set_to_none=True)
                    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                    scaler.unscale_(optimizer)
                    torch.nn.utils.clip_grad_norm_(net.parameters(), options.clip)
                    scaler.step(optimizer)
                    scaler.update()
                    ema.update_parameters(net)

                    value = loss.item()
                    if not math.isfinite(value):
                        raise LesionctlError(
                            f"the loss is {value} in epoch {state.epoch + 1} at step {state.step + 1}",
                            hint="try a lower --lr, or --precision fp32; the last good state is kept",
                        )
                    state.step += 1
                    shown += len(images)
                    state.loss_sum += value
                    task.advance()
                    task.note(f"loss {state.loss_sum / state.step:.4f}")
                    if stop:
                        save()
                        raise Interrupted(
                            f"stopped by {stop.signal} in epoch {state.epoch + 1} after step {state.step}; "
                            f"the state is saved in {out}",
                            hint="run the same command again to go on",
                        )
            seconds = time.perf_counter() - began
            images_per_second = shown / seconds

            scores = score_rows(segmenter(), store, val_rows)
            row = {
                "epoch": state.epoch + 1,
                "lr": optimizer.param_groups[0]["lr"],
                "loss": state.loss_sum / state.step,
                "images_per_second": images_per_second,
                **{f"val_{name}": score for name, score in scores.items()},
            }
            progress.row({name: row[name] for name in _SHOWN})
            state.history.append(row)
            write_metrics(out / "metrics.csv", state.history)
            if scores["dice"] > state.best_dice:
                state.best_dice, state.best_epoch = scores["dice"], state.epoch
                save_model(out / "model.safetensors", spec, ema.module.state_dict())
            save_model(out / "last.safetensors", spec, ema.module.state_dict())
            state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
            save()

    try:
        write_curves(out / "curves.png", state.history)
    except MissingExtra as error:
        progress.warn(f"no curves.png: {error.what} ({error.hint})")

    model = out / "model.safetensors"
    best_spec, best_net = load_model(model)
    best = TorchSegmenter(best_spec, best_net, compute)
    best.spec = replace(best_spec, threshold=choose_threshold(best, store, val_rows))
    validation = score_rows(best, store, val_rows)
    where = f"{store.info.size} px" + (f" ({remark})" if remark else "")
    scores = {f"validation split, per-image mean {name}, {where}": value for name, value in validation.items()}
    save_model(model, replace(best.spec, scores=scores), best_net.state_dict())
    return TrainResult(model, state.epoch, state.best_epoch + 1, best.spec.threshold, validation, seen)


_SHOWN = ("epoch", "lr", "loss", "images_per_second", "val_dice", "val_jaccard", "val_thresholded_jaccard")


def _running_mean(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential mean whose decay starts low, so that the first random weights are soon forgotten."""

    @torch.no_grad()
    def update(means: Sequence[Tensor], values: Sequence[Tensor], updates: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(updates)) / (10 + float(updates)))
        for mean, value in zip(means, values, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)

    return update
