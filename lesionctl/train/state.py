"""The state of a run on disk: all that it needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from lesionctl.atomic import write_bytes
from lesionctl.errors import BadFile, UsageError
from lesionctl.train.augment.recipe import read_recipe
from lesionctl.train.options import Resume

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.dataset.store import StoreInfo
    from lesionctl.progress import Progress
    from lesionctl.train.options import TrainOptions
    from lesionctl.train.record.rows import Row

# What may change between a stop and the going on without making it another run.
_FREE_TO_CHANGE = ("workers", "device", "allow_seen", "save_every", "overlays", "tensorboard")

_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass
class RunState:
    """Where a run stands.

    There are no states of random generators in it: views are drawn from (seed, pass, row), orders from (seed, epoch),
    and the network's own numbers (dropout, stochastic depth) from (seed, epoch, step, process), so that the place alone
    says what comes next.

    Attributes:
        run: What the run is: its resolved options and the digest of its data.
        epoch: The epoch that is under way, from 0.
        step: Steps of it that are done.
        loss_sum: Sum of their losses.
        seconds: How long they took.
        waited: How much of that was waiting for data.
        best_dice: Highest validation Dice so far.
        best_epoch: The epoch that had it.
        history: A row for each finished epoch.
        modules: State dicts of the network, its running mean, the optimiser and the scaler.
    """

    run: dict[str, Any]
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    best_dice: float = -1.0
    best_epoch: int = -1
    history: list[Row] = field(default_factory=list)
    modules: dict[str, Any] = field(default_factory=dict)


def identify_run(options: TrainOptions, store: StoreInfo, processes: int = 1) -> dict[str, Any]:
    """What makes two runs the same run: data and options, less those that change nothing of the result."""
    values = {name: value for name, value in options.resolved().items() if name not in _FREE_TO_CHANGE}
    values["fold"] = options.fold
    values["data"] = f"{store.digest} at {store.size} px, {store.resize}"
    values["processes"] = processes
    values["augment"] = f"{options.augment} ({read_recipe(options.augment).digest[:12]})"
    for name in ("encoder_weights", "init"):  # a file may be replaced under the same name
        values[name] = _fingerprint_file(values[name])
    if options.teacher:
        values["teacher"] = [_fingerprint_file(file) for file in options.teacher]
    return values


def _fingerprint_file(name: str) -> str:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - "hub" and "none" are no paths
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return name


def save_state(path: Path, state: RunState) -> None:
    """Write the state, whole or not at all; the one that was there becomes the generation before it.

    The new one is on disk before the others move, so that there is a whole one at any moment.
    """
    file = io.BytesIO()
    torch.save(vars(state), file)
    content = file.getvalue()
    coming = _generation(path, "next")
    write_bytes(coming, content + hashlib.sha256(content).digest())
    if path.exists():
        path.replace(_generation(path, "previous"))
    coming.replace(path)


def load_state(path: Path, run: dict[str, Any], resume: Resume, progress: Progress) -> RunState | None:
    """The state to go on from, or None to begin.

    Args:
        path: Where a state would be.
        run: What the run is that wants to go on.
        resume: What was asked for.
        progress: Hears a warning where the newest state is damaged and the one before it is taken.

    Raises:
        UsageError: The state is of another run (the difference is named), or what was asked for cannot be had.
        BadFile: Every state is damaged.
    """
    generations = _generations(path)
    if not generations:
        if resume is Resume.MUST:
            raise UsageError(f"{path.parent} holds no state to go on from", hint="leave out --resume must")
        return None
    if resume is Resume.NEVER:
        raise UsageError(f"{path.parent} holds a run already", hint="choose another --out, or leave out --resume never")
    state = _read_newest(generations, progress)
    for name in {**run, **state.run}:  # an option that is not used stands in neither or in one of them
        before, value = state.run.get(name), run.get(name)
        if json.dumps(before) != json.dumps(value):
            raise UsageError(
                f"{path.parent} holds a run with another {name}: {before}, not {value}",
                hint="choose another --out, or give the same options and data to go on",
            )
    return state


def saved_batch_size(path: Path, progress: Progress) -> int | None:
    """The batch size of the run that a state belongs to; None where there is no state.

    Raises:
        BadFile: Every state is damaged.
    """
    generations = _generations(path)
    return int(_read_newest(generations, progress).run["batch_size"]) if generations else None


def _generation(path: Path, which: str) -> Path:
    return path.with_stem(f"{path.stem}.{which}")


def _generations(path: Path) -> list[Path]:
    """The states that there are, the newest first; one more than two only where a process was killed between them."""
    return [file for file in (_generation(path, "next"), path, _generation(path, "previous")) if file.is_file()]


def _read_newest(generations: list[Path], progress: Progress) -> RunState:
    """The first state of a list that is whole."""
    reasons = []
    for path in generations:
        try:
            state = _read(path)
        except BadFile as error:
            reasons.append(error)
            continue
        if reasons:
            progress.warn(f"{reasons[0].what}: going on from the one before it, {path.name}")
        return state
    raise reasons[0]


def _read(path: Path) -> RunState:
    try:
        file = path.read_bytes()
        content, digest = file[:-_DIGEST_BYTES], file[-_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("its content does not agree with its digest")
        return RunState(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise BadFile(path, f"is a damaged state ({error})", hint="remove the run directory to begin anew") from error
