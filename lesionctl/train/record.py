"""What a run leaves for people: its configuration, its metrics, its curves."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import tomli_w

from lesionctl.atomic import write_bytes, write_text
from lesionctl.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.options import TrainOptions

Row = dict[str, float]
"""One epoch: epoch, lr, loss, images_per_second, and the validation figures val_dice, val_jaccard, ..."""


def write_config(path: Path, store: Path, options: TrainOptions, remarks: Sequence[str]) -> None:
    """The resolved configuration, in the form that `--config` takes back, below remarks for people."""
    values: dict[str, Any] = {"store": str(store), **options.resolved()}
    unused = (
        ("encoder", "encoder_weights", "decoder_channels", "decoder_stride") if options.init else ("init", "allow_seen")
    )
    for name in unused:
        del values[name]
    write_text(path, "".join(f"# {remark}\n" for remark in remarks) + tomli_w.dumps({"train": values}))


def write_metrics(path: Path, history: list[Row]) -> None:
    """`metrics.csv`: a row for each epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())


def write_curves(path: Path, history: list[Row]) -> None:
    """`curves.png`: loss, validation figures and rate against the epoch.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "plot", "drawing curves.png") from error
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {
        "training loss (BCE + Dice)": ["loss"],
        "validation, per-image mean": ["val_dice", "val_jaccard", "val_thresholded_jaccard"],
        "learning rate": ["lr"],
    }
    epochs = [row["epoch"] for row in history]
    for axes, (title, names) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for name in names:
            axes.plot(epochs, [row[name] for row in history], marker=".", label=name)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    write_bytes(path, image.getvalue())
