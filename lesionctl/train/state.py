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
from lesionctl.train.options import Resume

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.dataset.store import StoreInfo
    from lesionctl.train.options import TrainOptions
    from lesionctl.train.record import Row

# What may change between a stop and the going on without making it another run.
_FREE_TO_CHANGE = ("workers", "device", "allow_seen")


@dataclass
class RunState:
    """Where a run stands.

    Attributes:
        run: What the run is: its resolved options and the digest of its data.
        epoch: The epoch that is under way, from 0.
        step: Steps of it that are done.
        loss_sum: Sum of their losses.
        best_dice: Highest validation Dice so far.
        best_epoch: The epoch that had it.
        history: A row for each finished epoch.
        modules: State dicts of the network, its running mean, the optimiser and the scaler.
        random: State of torch's random generator on the CPU.
    """

    run: dict[str, Any]
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_dice: float = -1.0
    best_epoch: int = -1
    history: list[Row] = field(default_factory=list)
    modules: dict[str, Any] = field(default_factory=dict)
    random: torch.Tensor | None = None


def identify_run(options: TrainOptions, store: StoreInfo) -> dict[str, Any]:
    """What makes two runs the same run: data and options, less those that change nothing of the result."""
    values = {name: value for name, value in options.resolved().items() if name not in _FREE_TO_CHANGE}
    values["fold"] = options.fold
    values["data"] = f"{store.digest} at {store.size} px, {store.resize}"
    for name in ("encoder_weights", "init"):  # a file may be replaced under the same name
        values[name] = _fingerprint_file(values[name])
    return values


def _fingerprint_file(name: str) -> str:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - "hub" and "none" are no paths
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return name


def save_state(path: Path, state: RunState) -> None:
    """Write the state, whole or not at all."""
    state.random = torch.get_rng_state()
    content = io.BytesIO()
    torch.save(vars(state), content)
    write_bytes(path, content.getvalue())


def load_state(path: Path, run: dict[str, Any], resume: Resume) -> RunState | None:
    """The state to go on from, or None to begin.

    Args:
        path: Where a state would be.
        run: What the run is that wants to go on.
        resume: What was asked for.

    Raises:
        UsageError: The state is of another run (the difference is named), or what was asked for cannot be had.
        BadFile: The state is damaged.
    """
    if not path.is_file():
        if resume is Resume.MUST:
            raise UsageError(f"{path.parent} holds no state to go on from", hint="leave out --resume must")
        return None
    if resume is Resume.NEVER:
        raise UsageError(f"{path.parent} holds a run already", hint="choose another --out, or leave out --resume never")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        state = RunState(**values)
        different = [name for name in run if json.dumps(run[name]) != json.dumps(state.run.get(name))]
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        pickle.UnpicklingError,
    ) as error:
        raise BadFile(path, f"is a damaged state ({error})", hint="remove the run directory to begin anew") from error
    if different:
        name = different[0]
        raise UsageError(
            f"{path.parent} holds a run with another {name}: {state.run.get(name)}, not {run[name]}",
            hint="choose another --out, or give the same options and data to go on",
        )
    if state.random is not None:
        torch.set_rng_state(state.random)
    return state
