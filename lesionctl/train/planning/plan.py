"""The self-configuring mode: how to train, from the set and the device, with a reason for each value.

In the spirit of nnU-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z): rules that look at the data decide what
depends on it, measurements what depends on the device; the rest stays at its default, and a person's word stands.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lesionctl.progress import Silent
from lesionctl.runtime.threads import available_cpus
from lesionctl.train.memory.batch_size import largest_batch_size
from lesionctl.train.options import AUTO_BATCH_SIZE, TrainOptions
from lesionctl.train.planning.decisions import Decisions
from lesionctl.train.planning.network import plan_network, plan_size
from lesionctl.train.planning.pace import measure_pace
from lesionctl.train.planning.plan_file import Plan
from lesionctl.train.planning.schedule import (
    plan_augmentation,
    plan_epochs,
    plan_epochs_within,
    plan_for_steps,
    plan_rates,
    plan_repeat,
)
from lesionctl.train.planning.situation import Situation, look_at
from lesionctl.train.start import start

if TYPE_CHECKING:
    from lesionctl.dataset.store import Store
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.progress import Progress
    from lesionctl.runtime.device import Compute

_USEFUL_BATCH = {"cpu": 16, "cuda": 32, "mps": 32}
_SMALL_VALIDATION = 100


def make_plan(
    store: Store,
    options: TrainOptions,
    given: frozenset[str],
    budget_seconds: float | None,
    compute: Compute,
    progress: Progress | None = None,
) -> Plan:
    """Decide how to train on a set.

    The same set, options and device give the same plan, but for what is measured: the batch that fits, and with a
    budget the epochs.

    Args:
        store: The prepared set.
        options: What a person gave, and defaults for the rest.
        given: Names of the options that a person gave; they stay as they are.
        budget_seconds: How long the whole may take; None: as long as the usual number of views does.
        compute: Where to train.
        progress: Who listens.

    Raises:
        UsageError: The set has no training or no validation split, or the budget is too short for one epoch.
        GateError: The model that was given to start from, or a teacher, has seen pictures of the validation split.
    """
    began, progress = time.monotonic(), progress or Silent()
    if options.fold is not None:
        store = store.at_fold(options.fold)
    there = look_at(store, compute, options)
    decisions = Decisions(options, given)

    plan_network(decisions, store, there)
    plan_size(decisions, there)
    plan_augmentation(decisions, there)
    spec = _spec_of(decisions.options, store)
    _plan_batch(decisions, there, spec, compute, progress)
    plan_rates(decisions, there)
    plan_repeat(decisions, there)
    if budget_seconds is None or "epochs" in given:
        plan_epochs(decisions, there)
    else:
        with progress.task("measuring the speed of this device"):
            pace = measure_pace(decisions.options, spec, store, compute)
        plan_epochs_within(decisions, there, budget_seconds, time.monotonic() - began, pace)
    plan_for_steps(decisions, there)
    for name in sorted(given - decisions.reasons.keys()):
        if decisions.options.resolved().get(name) is not None:
            decisions.reasons[name] = "given"
    return Plan(decisions.options, decisions.reasons, _remarks(there, store, compute))


def _spec_of(options: TrainOptions, store: Store) -> ModelSpec:
    """What the network will be; random weights do for measuring, and need no file and no network."""
    return start(replace(options, encoder_weights="none"), store, Silent()).spec


def _plan_batch(decisions: Decisions, there: Situation, spec: ModelSpec, compute: Compute, progress: Progress) -> None:
    """As many as are useful, at once where memory allows it, else added up over several forward passes."""
    options = decisions.options
    useful = _USEFUL_BATCH[there.device]
    wanted = min(useful, 2 ** (there.train.bit_length() - 1))
    why = f"more than {useful} gain nothing here" if wanted == useful else f"of {there.train} training pictures"
    if "batch_size" not in decisions.given or options.batch_size == AUTO_BATCH_SIZE:
        with progress.task("measuring the memory of a training step"):
            fit = largest_batch_size(options, spec, compute, wanted)
        decisions.given -= {"batch_size"}
        decisions.take("batch_size", fit.batch_size, f"{fit.describe()}; {why}")
    else:
        decisions.take("batch_size", options.batch_size, "given")
        wanted = options.batch_size
    size = decisions.options.batch_size
    parts = max(1, wanted // size)
    reason = f"{parts} × {size} = {wanted} pictures per step" if parts > 1 else f"{size} fit at once"
    decisions.take("accumulate", parts, reason)


def _remarks(there: Situation, store: Store, compute: Compute) -> tuple[str, ...]:
    machine = f"with {available_cpus()} processor(s)" if there.device == "cpu" else f"with {there.memory_text}"
    lines = [
        f"Made by `lesionctl train --auto` for {store.path.name}: {there.train} pictures to train on, "
        f"{there.validation} to validate, on {compute.device} in {compute.precision} {machine}.",
        "Change what you like; a run that is begun or goes on in the directory of this file keeps to it.",
    ]
    if there.validation < _SMALL_VALIDATION:
        few = f"The validation split is small ({there.validation}) to choose an epoch and a threshold on"
        if store.info.folds:
            lines.append(f"{few}; this set has folds: train them all with --folds {store.info.folds}.")
        else:
            lines.append(f"{few}; better: `lesionctl prepare … --folds 5`, then `lesionctl train … --folds 5`.")
    return tuple(lines)
