"""`config.toml`: what a run was asked for, in the form that `--config` takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli_w

from lesionctl.atomic import write_text
from lesionctl.nets.spec import Arch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.options import TrainOptions

_ENCODER = ("encoder", "encoder_weights", "layer_decay")
_UNET = ("decoder_channels", "decoder_stride")
_DEEPLAB = ("output_stride",)
_CLASSIC = ("widths",)

_UNUSED = {
    Arch.UNET: (*_DEEPLAB, *_CLASSIC),
    Arch.DEEPLABV3PLUS: (*_UNET, *_CLASSIC),
    Arch.CLASSIC: (*_ENCODER, *_UNET, *_DEEPLAB),
}
_UNUSED_WITH_INIT = ("arch", "encoder", "encoder_weights", *_UNET, *_DEEPLAB, *_CLASSIC)


def write_config(
    path: Path, store: Path, options: TrainOptions, remarks: Sequence[str], folds: int | None = None
) -> None:
    """Write the options that apply to the run, below remarks for people.

    Args:
        path: The file.
        store: The prepared set.
        options: How the run trains.
        remarks: A line of comment each.
        folds: How many folds are trained; None: this is the configuration of one run.
    """
    unused = _UNUSED_WITH_INIT if options.init else ("init", *_UNUSED[options.arch])
    if not options.init and not options.teacher:
        unused = (*unused, "allow_seen")
    values: dict[str, Any] = {"store": str(store), **({"folds": folds} if folds else {}), **options.resolved()}
    for name in unused:
        del values[name]
    write_text(path, "".join(f"# {remark}\n" for remark in remarks) + tomli_w.dumps({"train": values}))
