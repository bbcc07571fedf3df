"""The training loop, from top to bottom."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from lesionctl.atomic import directory_of_one
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import Interrupted, MissingExtra, UsageError
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.progress import Progress, Silent
from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.peak_memory import forget_peak_memory, peak_memory_mb
from lesionctl.runtime.stop import listen_for_stop
from lesionctl.runtime.threads import available_cpus
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.train.data import EpochBatches, Feed, make_loader
from lesionctl.train.decision import choose_decision
from lesionctl.train.distributed.ranks import Ranks, join_ranks
from lesionctl.train.distributed.sync_norm import synchronise_norms
from lesionctl.train.learning.compiling import compile_net
from lesionctl.train.learning.running_mean import RunningMean
from lesionctl.train.learning.schedule import rate_share
from lesionctl.train.learning.seeding import seed_run, seed_step
from lesionctl.train.learning.step import TrainingStep
from lesionctl.train.learning.watch import LossWatch
from lesionctl.train.limits import with_limits
from lesionctl.train.memory.batch_size import is_out_of_memory, out_of_memory
from lesionctl.train.options import AUTO_BATCH_SIZE, Resume, TrainOptions
from lesionctl.train.record.run_record import RunRecord
from lesionctl.train.sampling import sources_of, training_rows
from lesionctl.train.start import fit_batch_size, remark_on, start
from lesionctl.train.state import RunState, identify_run, load_state, save_state
from lesionctl.train.validate import paint_overlays, predict_rows, score_rows

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lesionctl.dataset.exposure import SeenCount
    from lesionctl.dataset.store import Store
    from lesionctl.imaging.postprocess import Postprocess
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute


@dataclass(frozen=True)
class TrainResult:
    """What came of a run.

    Attributes:
        model: The model file: the best epoch's weights and what validation chose for them.
        epochs: Epochs that were trained.
        best_epoch: The best of them, from 1; 0 where none was trained.
        threshold: The model's threshold.
        postprocess: What is done to its masks.
        validation: Per-image mean figures of the model on the validation split, at the store's resolution.
        seen: How many pictures of that split its ancestor or its teachers have seen; None where there are none, or they
            do not say.
    """

    model: Path
    epochs: int
    best_epoch: int
    threshold: float
    postprocess: Postprocess
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
) -> TrainResult | None:
    """Train a model on the training split of a store; every process of a distributed training calls it alike.

    Args:
        store_path: A prepared set with a training and a validation split.
        out: The run directory: model.safetensors (best), last.safetensors, the record (config.toml, environment.json,
            metrics.csv, log.jsonl, curves.png, overlays/), and the state to go on from.
        options: How.
        resume: What to do with a state that `out` already holds.
        progress: Who listens.

    Returns:
        What came of it; None in every process but the first, which alone writes.

    Raises:
        UsageError: The options make no sense for this store or this machine, or `out` holds another run.
        GateError: The model to start from, or a teacher, has seen pictures of the validation split.
        Interrupted: A signal asked to stop; the state is saved.
        LesionctlError: The loss is no longer a number, memory ran out, or another process has ended.
    """
    with join_ranks() as ranks, directory_of_one(out) if ranks.first else nullcontext():
        listener = progress if progress and ranks.first else Silent()
        return _train(store_path, out, options, resume, listener, ranks)


def _train(
    store_path: Path, out: Path, options: TrainOptions, resume: Resume, progress: Progress, ranks: Ranks
) -> TrainResult | None:
    compute = choose_compute(ranks.device(options.device), options.precision)
    store = open_store(store_path)
    if options.fold is not None:
        store = store.at_fold(options.fold)
    train_rows, val_rows = training_rows(store, options), store.rows(Split.VALIDATION)
    if not len(val_rows):
        raise UsageError(f"{store_path} has no {Split.VALIDATION} split", hint="prepare it with --split 70/10/20")
    record = RunRecord(out, tensorboard=options.tensorboard and ranks.first)

    seed_run(options)
    spec, net, seen = start(options, store, progress)
    net = compute.place(net)
    if options.batch_size == AUTO_BATCH_SIZE:
        options = fit_batch_size(options, spec, compute, out / "state.pt", ranks, progress)
    ema = RunningMean(net, options.ema)
    net = synchronise_norms(net, compute, ranks)
    train_depthwise_in_float32(net, compute)
    model = ranks.wrap(compile_net(net, options, compute), compute)
    pretrained = bool(options.init) or options.encoder_weights != "none"
    take_step = TrainingStep(net, model, ema, spec, options, compute, pretrained=pretrained, alone=ranks.paused)
    optimizer = take_step.optimizer
    batches = EpochBatches(train_rows, options, ranks.rank, ranks.world, sources_of(store, train_rows))
    loader = make_loader(store, batches, options, compute.device)
    total_steps = options.epochs * batches.steps
    progress.detail(
        f"{spec.net}, input {options.size} px, trains on {compute.device} in {compute.precision}: "
        f"processes: {ranks.world}, processors of each: {available_cpus()}"
    )
    progress.detail(
        f"{len(train_rows):,} pictures to learn from, {len(val_rows):,} to validate on; {batches.steps} steps of "
        f"{options.batch_size * options.accumulate * ranks.world} pictures an epoch"
    )

    run = identify_run(options, store.info, ranks.world)
    modules: dict[str, Any] = {"net": net, "ema": ema, "optimizer": optimizer, "scaler": take_step.scaler}
    state = load_state(out / "state.pt", run, resume, progress) or RunState(run)
    if len(set(map(repr, ranks.gather((run, state.epoch, state.step))))) > 1:
        raise UsageError(
            f"the processes of this training have other options or data than one another, or do not share {out}",
            hint="start all of them with the same command, on a file system that all of them see",
        )
    for name, values in state.modules.items():
        if values:  # a scaler has none where the run did not need one so far
            modules[name].load_state_dict(values)
    state.modules = {}
    remark = remark_on(seen)

    def unfinished() -> bool:
        return state.epoch < options.epochs and state.epoch - state.best_epoch <= options.patience

    if ranks.first:
        remarks = [f"data: {run['data']}"] + ([f"validation: {remark}"] if remark else [])
        record.config(store_path.resolve(), options, remarks)
    if ranks.first and unfinished():
        if state.epoch or state.step:
            progress.say(f"going on with epoch {state.epoch + 1}, step {state.step + 1}")
        if options.source_weight:
            views = ", ".join(f"{number} of {name}" for name, number in batches.shown.items())
            progress.say(f"an epoch shows {sum(batches.shown.values())} views: {views}")
        record.environment(compute, ranks.world, options.teacher)
        record.event("begin", epoch=state.epoch + 1, step=state.step + 1, views_per_epoch=batches.shown)

    def save() -> None:
        if ranks.first:
            save_state(out / "state.pt", replace(state, modules={name: m.state_dict() for name, m in modules.items()}))

    def segmenter() -> TorchSegmenter:
        return TorchSegmenter(spec, ema.module, compute)

    if ranks.first and not options.epochs:
        save_model(out / "model.safetensors", spec, ema.module.state_dict())
    forget_peak_memory(compute)
    with listen_for_stop() as stop:
        while unfinished():
            batches.epoch, batches.start = state.epoch, state.step
            dices = [row["val_dice"] for row in state.history]
            feed, watch = Feed(loader, compute.device), LossWatch(store, state.epoch, ranks.world)
            began = saved = time.perf_counter()
            net.train()
            with progress.task(f"epoch {state.epoch + 1} of {options.epochs}", len(batches)) as task:
                for images, truth, shown in feed:
                    done = state.epoch * batches.steps + state.step
                    share = rate_share(options.schedule, done, total_steps, options.warmup, dices)
                    for group in optimizer.param_groups:
                        group["lr"] = options.lr * share * group["share"]
                    seed_step(options.seed, done, ranks.rank)

                    try:
                        learned = take_step(images, truth, done, options.batch_size)
                    except RuntimeError as error:
                        if not is_out_of_memory(error):
                            raise
                        optimizer.zero_grad(set_to_none=True)
                        clear_frames(error.__traceback__)  # they hold the memory of the step that failed
                        raise out_of_memory(options, spec, compute) from error

                    state.loss_sum += watch.see(state.step, shown, *learned)
                    state.step += 1
                    task.advance()
                    task.note(f"loss {state.loss_sum / state.step:.4f}")
                    now = time.perf_counter()
                    if ranks.any(bool(stop) or now - saved > 60 * options.save_every):
                        state.loss_sum = ranks.mean(state.loss_sum + watch.rest())  # one state for all of them
                        state.seconds, state.waited = state.seconds + now - began, state.waited + feed.seconds
                        save()
                        began, saved, feed.seconds = now, time.perf_counter(), 0.0
                        if ranks.any(bool(stop)):
                            if ranks.first:
                                record.event("stop", signal=stop.signal, epoch=state.epoch + 1, step=state.step)
                            raise Interrupted(
                                f"stopped by {stop.signal or 'another process'} in epoch {state.epoch + 1} "
                                f"after step {state.step}; the state is saved",
                                hint="the same command goes on from here",
                            )
            state.loss_sum += watch.rest()
            state.seconds += time.perf_counter() - began
            state.waited += feed.seconds

            scores = score_rows(segmenter(), store, val_rows, ranks)
            row = {
                "epoch": state.epoch + 1,
                "lr": optimizer.param_groups[0]["lr"] / optimizer.param_groups[0]["share"],
                "loss": ranks.mean(state.loss_sum / batches.steps),
                "images_per_second": batches.steps * batches.pictures / state.seconds,
                "waited": state.waited / state.seconds,
                "memory_mb": peak_memory_mb(compute),
                **{f"val_{name}": score for name, score in scores.items()},
            }
            state.history.append(row)
            improved = scores["dice"] > state.best_dice
            if improved:
                state.best_dice, state.best_epoch = scores["dice"], state.epoch
            if ranks.first:
                progress.row({name: row[name] for name in _SHOWN})
                if improved:
                    save_model(out / "model.safetensors", spec, ema.module.state_dict())
                save_model(out / "last.safetensors", spec, ema.module.state_dict())
                record.epoch(state.history)
                record.event("epoch", **row)
                if options.overlays and (state.epoch + 1) % options.overlays == 0:
                    record.overlays(state.epoch + 1, paint_overlays(segmenter(), store, val_rows))
            state.epoch, state.step, state.loss_sum, state.seconds, state.waited = state.epoch + 1, 0, 0.0, 0.0, 0.0
            save()
    if not ranks.first:
        return None
    return _finish(out, spec, store, train_rows, val_rows, state, record, compute, seen, progress)


_SHOWN = ("epoch", "lr", "loss", "images_per_second", "val_dice", "val_jaccard", "val_thresholded_jaccard")


def _finish(
    out: Path,
    spec: ModelSpec,
    store: Store,
    train_rows: NDArray[np.int64],
    val_rows: NDArray[np.int64],
    state: RunState,
    record: RunRecord,
    compute: Compute,
    seen: SeenCount | None,
    progress: Progress,
) -> TrainResult:
    """Give the best epoch's weights what serves the validation split best: threshold, post-processing, limits."""
    model, remark = out / "model.safetensors", remark_on(seen)
    try:
        if state.history:
            record.curves(state.history)
    except MissingExtra as error:
        progress.warn(f"no curves.png: {error.what} ({error.hint})")
    _, net = load_model(model)
    best = TorchSegmenter(spec, net, compute)
    decision = choose_decision(lambda: predict_rows(best, store, val_rows))
    best.spec = replace(spec, threshold=decision.threshold, postprocess=decision.postprocess)
    validation = score_rows(best, store, val_rows)
    where = f"{store.info.size} px" + (f" ({remark})" if remark else "")
    scores = {f"validation split, per-image mean {name}, {where}": value for name, value in validation.items()}
    spec = with_limits(best, store, train_rows, val_rows)
    save_model(model, replace(spec, scores=scores), net.state_dict())
    return TrainResult(
        model, state.epoch, state.best_epoch + 1, decision.threshold, decision.postprocess, validation, seen
    )
