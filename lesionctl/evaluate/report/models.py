"""What was scored: each model as its file describes it, and the training that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Cell, Fold, Paragraph, Plot, Section, Table, Words
from lesionctl.evaluate.report.drawing import inline
from lesionctl.evaluate.report.material import BATCH_SIZE, TURNS
from lesionctl.evaluate.report.wording import NOTHING, capitalise, count_of, join
from lesionctl.nets.spec import ClassicSpec, UNetSpec
from lesionctl.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lesionctl.evaluate.evaluation import ModelFacts
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material
    from lesionctl.evaluate.report.run import Run
    from lesionctl.nets.spec import NetSpec

    _Known = tuple[str, ModelFacts, float | None]  # the side's name, the model, its speed


def models_section(material: Material, *, painted: bool) -> Section:
    """The models' facts side by side, their speed, their training.

    Args:
        material: What the report is written from.
        painted: Whether plots are drawn.
    """
    models = [side.model for side in material.sides]
    blocks: list[Block] = []
    masks = [name for name, model in zip(material.names, models, strict=True) if model is None]
    if masks:
        verb = "is a folder" if len(masks) == 1 else "are folders"
        blocks.append(
            Paragraph((Words(f"{join(masks)} {verb} of masks: nothing is known of the program that made them."),))
        )
    known = [
        (name, model, speed)
        for name, model, speed in zip(material.names, models, material.speeds, strict=True)
        if model is not None
    ]
    if known:
        blocks.append(_table(known, material.environment))
    for name, model, _ in known:
        if model.spec.scores:
            rows = tuple((Cell(what), Cell(f"{value:.4f}")) for what, value in model.spec.scores.items())
            scores = Table(f"Scores that the file of {name} brings along", ("figure", "value"), rows)
            blocks.append(Fold(f"Scores that {name} brings along", (scores,)))
    for name, run in zip(material.names, material.runs, strict=True):
        if run is not None and run.history:
            blocks.append(_curves(name, run, painted=painted))
    return Section("models", "Models" if known else "Masks", tuple(blocks))


def cost_table(material: Material) -> Table | None:
    """What the models cost, side by side; None where fewer than two of the sides are models."""
    models = [
        (name, side.model, speed)
        for name, side, speed in zip(material.names, material.sides, material.speeds, strict=True)
        if side.model is not None
    ]
    if len(models) < 2:
        return None
    head = ("", *(name for name, _, _ in models))
    return Table("What the models cost", head, tuple(_costs(models)), _how_fast(material.environment))


def _costs(models: list[_Known]) -> list[tuple[Cell, ...]]:
    return [
        _row("parameters", *(f"{model.parameters:,}" for _, model, _ in models)),
        _row("size of its files", *(format_bytes(model.bytes) for _, model, _ in models)),
        _row("network alone, pictures/s", *(_speed(speed) for _, _, speed in models)),
    ]


def _row(label: str, *values: str) -> tuple[Cell, ...]:
    return (Cell(label), *(Cell(value) for value in values))


def _network_of(model: ModelFacts) -> str:
    network = capitalise(describe_network(model.spec.net))
    return network if len(model.files) == 1 else f"mean of {len(model.files)} models, the first a {network}"


def _speed(speed: float | None) -> str:
    return NOTHING if speed is None else f"{speed:.1f}"


def _how_fast(environment: Mapping[str, Any]) -> str:
    return (
        f"Network alone: batches of {BATCH_SIZE} pictures in memory to probabilities in memory, median of {TURNS} "
        f"turns taken in alternation, on {describe_machine(environment)}; reading and writing files come on top."
    )


def describe_network(net: NetSpec) -> str:
    """What a network is: `U-Net over tf_efficientnet_lite0`."""
    if isinstance(net, ClassicSpec):
        return f"{net.arch.label}, widths {', '.join(map(str, net.widths))}"
    if isinstance(net, UNetSpec):
        return f"{net.arch.label} over {net.encoder}, decoder stride {net.decoder_stride}"
    return f"{net.arch.label} over {net.encoder}, output stride {net.output_stride}"


def describe_machine(environment: Mapping[str, Any]) -> str:
    """On what something was measured: `AMD EPYC, 2 processors`, and its GPUs."""
    parts = [str(environment["processor"]), count_of(environment["cpus_available"], "processor")]
    return ", ".join([*parts, *environment["gpus"]])


def _table(models: list[_Known], environment: Mapping[str, Any]) -> Table:
    facts = [model for _, model, _ in models]
    specs = [model.spec for model in facts]
    ways = {"squash": "squashed to a square", "pad": "scaled and padded to a square"}
    rows = [
        _row("name in its file", *(spec.name for spec in specs)),
        _row("network", *(_network_of(model) for model in facts)),
        *_costs(models),
        _row("input", *(f"{spec.size} × {spec.size} px, {ways[str(spec.resize)]}" for spec in specs)),
        _row("threshold", *(f"{spec.threshold:g}" for spec in specs)),
        _row("post-processing", *(spec.postprocess.describe() for spec in specs)),
        _row("run by", *(model.backend for model in facts)),
        _row("licence", *(spec.licence for spec in specs)),
        _row("training data", *(spec.training_data for spec in specs)),
        _row("training digest", *(spec.training_digest or "not stated" for spec in specs)),
        _row("files", *(", ".join(map(str, model.files)) for model in facts)),
    ]
    return Table(
        caption="The model by its own file" if len(models) == 1 else "The models by their own files",
        head=("", *(name for name, _, _ in models)),
        rows=tuple(rows),
        note=_how_fast(environment),
        words=True,
    )


def _curves(name: str, run: Run, *, painted: bool) -> Plot:
    title, best = f"Training of {name}", run.best
    epochs = count_of(len(run.history), "epoch")
    caption = f"{epochs} of {run.options['epochs']} at most" if "epochs" in run.options else epochs
    caption += (
        "." if best is None else f"; the best mean Dice on the validation pictures, {best['val_dice']:.3f}, came "
    )
    caption += "" if best is None else f"with epoch {best['epoch']:.0f}."
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.curves import training_curves

    drawn = training_curves(run.history, str(run.options.get("loss", "loss")))
    alt = f"{title}: training loss, validation figures, learning rate and speed by epoch. {capitalise(caption)}"
    return Plot(title, caption, inline(drawn, alt))
