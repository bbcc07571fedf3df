"""How a model was trained, in sentences, from its run's own record; an option that is not recorded is not mentioned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Words
from lesionctl.evaluate.report.wording import count_of, percent

if TYPE_CHECKING:
    from lesionctl.evaluate.report.run import Run

_LOSSES = {
    "bce-dice": ("the sum of binary cross-entropy and soft Dice loss", ("milletari2016",)),
    "focal": ("the focal loss", ("lin2017",)),
    "tversky": ("the Tversky loss", ("salehi2017",)),
    "focal-tversky": ("the focal Tversky loss", ("abraham2019",)),
    "lovasz": ("the Lovász hinge", ("berman2018",)),
    "boundary-bce": ("binary cross-entropy with more weight near the outline", ("ronneberger2015",)),
}
_SCHEDULES = {
    "cosine": ("fell in half a cosine to zero", ("loshchilov2017",)),
    "poly": ("fell to zero with the power 0.9 of what was left", ("chen2017",)),
    "onecycle": ("followed the one-cycle policy", ("smith2018",)),
    "plateau": ("was halved whenever 3 epochs brought no better validation Dice", ()),
}


def training_sentences(run: Run) -> list[Words]:
    """Start, duration, loss, optimiser, schedule, augmentation, what was kept, precision."""
    options = run.options
    steps = (_start, _duration, _loss, _optimiser, _schedule, _augmentation, _kept, _machine)
    return [words for step in steps if (words := step(run)) is not None] if options else []


def _start(run: Run) -> Words | None:
    options = run.options
    if options.get("init"):
        return Words(f"It was trained from the weights of the model {options['init']}.")
    weights = options.get("encoder_weights")
    if weights is None:
        return None
    known = {"hub": "Its encoder began with the weights of timm's hub.", "none": "It began with random weights."}
    return Words(known.get(weights, f"Its encoder began with the weights of the file {weights}."))


def _duration(run: Run) -> Words | None:
    options = run.options
    if not {"epochs", "batch_size", "size"} <= options.keys():
        return None
    batch = "the largest batches that fit" if options["batch_size"] == "auto" else f"batches of {options['batch_size']}"
    processes = run.environment.get("processes", 1)
    batch += f" in each of {processes} processes" if processes > 1 else ""
    accumulate = options.get("accumulate", 1)
    batch += f", {accumulate} of them to a step," if accumulate > 1 else ""
    seed = f" with seed {options['seed']}" if "seed" in options else ""
    epochs = count_of(len(run.history), "epoch")
    most = "" if len(run.history) == options["epochs"] else f" of at most {options['epochs']}"
    return Words(f"It was trained for {epochs}{most} in {batch} at {options['size']} pixels{seed}.")


def _loss(run: Run) -> Words | None:
    loss = run.options.get("loss")
    if loss not in _LOSSES:
        return None
    text, cites = _LOSSES[loss]
    smoothing = run.options.get("label_smoothing", 0)
    if smoothing:
        return Words(f"It minimised {text}, with a label smoothing of {smoothing:g}", (*cites, "szegedy2016"))
    return Words(f"It minimised {text}", cites) if cites else Words(f"It minimised {text}.")


def _optimiser(run: Run) -> Words | None:
    options = run.options
    if not {"lr", "weight_decay"} <= options.keys():
        return None
    rate, weights = options["lr"], options["weight_decay"]
    text = f"The optimiser was AdamW with a learning rate of {rate:g}, a weight decay of {weights:g}"
    clip = f" and the norm of the gradient clipped at {options['clip']:g}" if "clip" in options else ""
    layered = options.get("layer_decay", 1) < 1
    decay = (
        f"; each stage of the encoder learned at {options['layer_decay']:g} times the next's rate" if layered else ""
    )
    return Words(f"{text}{clip}{decay}", ("loshchilov2019",))


def _schedule(run: Run) -> Words | None:
    schedule = run.options.get("schedule")
    if schedule not in _SCHEDULES:
        return None
    text, cites = _SCHEDULES[schedule]
    warmup = run.options.get("warmup", 0)
    rise = f"rose for {percent(warmup, 0)} of the steps and then " if warmup and schedule != "onecycle" else ""
    return Words(f"The rate {rise}{text}" + ("" if cites else "."), cites)


def _augmentation(run: Run) -> Words | None:
    recipe = run.options.get("augment")
    if recipe is None:
        return None
    if recipe == "none":
        return Words("Pictures were not augmented.")
    return Words(f"Pictures were augmented by the recipe '{recipe}'", ("buslaev2020",))


def _kept(run: Run) -> Words | None:
    if run.best is None:
        return None
    ema = run.options.get("ema", 0)
    kept = f"The running mean of the weights (decay {ema:g})" if ema else "The weights"
    verb = "was" if ema else "were"
    return Words(
        f"{kept} of epoch {run.best['epoch']:.0f} {verb} kept, with the highest mean Dice on the validation "
        f"pictures, {run.best['val_dice']:.3f}."
    )


def _machine(run: Run) -> Words | None:
    known = run.environment
    if not {"precision", "device"} <= known.keys():
        return None
    gpus = known.get("gpus") or []
    where = gpus[0] if gpus and str(known["device"]).startswith("cuda") else known.get("processor") or known["device"]
    return Words(f"It computed in {known['precision']} on {where}.")
