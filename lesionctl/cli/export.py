"""`lesionctl export`: a model for other runtimes, compared with the original before it is called done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.options import Json, ModelArgument, Overwrite, option, terminal_of
from lesionctl.export.formats import Format, Storage
from lesionctl.paths import DEFAULT_MODEL


def export(
    context: typer.Context,
    model: ModelArgument = DEFAULT_MODEL,
    to: Annotated[Format, option(help="onnx: one ONNX file. torch: a lesionctl model file.")] = Format.ONNX,
    out: Annotated[Path | None, option(metavar="FILE", help="By default the model's name, here.")] = None,
    precision: Annotated[Storage, option(help="Number format of the stored weights.")] = (Storage.FP32),
    images: Annotated[
        list[str] | None,
        option(metavar="INPUT", help="Pictures to compare on; by default some that are drawn for it."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a model for another runtime: pictures of bytes in, probabilities out, all preprocessing inside.

    The file is loaded in its own runtime and compared with the original. It appears only if no probability differs by
    more than 0.001 (fp32) or 0.005 (fp16) and the masks agree to a Dice of 0.999 (0.998); else the exit code is 4.

    Example: lesionctl export lesion-s --to onnx --out lesion-s.onnx
    """
    from lesionctl.dataset.inputs import find_inputs
    from lesionctl.export.export import export_model
    from lesionctl.runtime.load import find_model

    terminal = terminal_of(context)
    source = find_model(model)
    target = out or Path(f"{source.stem}{to.suffix}")
    pictures = [item.path for item in find_inputs(images or [])]
    parity = export_model(source, target, to, precision, pictures, overwrite=overwrite, progress=terminal)
    if as_json:
        terminal.json({"file": str(target), **parity.to_dict()})
        return
    terminal.line(str(target))
    terminal.say(
        f"compared on {parity.pictures} pictures: largest difference of a probability "
        f"{parity.largest_difference:.2e}, smallest Dice between the masks {parity.smallest_dice:.5f}"
    )
