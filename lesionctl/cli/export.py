"""`lesionctl export`: a model for other runtimes, compared with the original before it is called done."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.options import Json, ModelArgument, flag, option, terminal_of
from lesionctl.cli.saved_config import save_config
from lesionctl.export.formats import Format
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.tolerance import Storage

_FORMAT = "What is written"
_GATE = "What it is compared on"
_written = partial(option, rich_help_panel=_FORMAT)
_written_flag = partial(flag, rich_help_panel=_FORMAT)
_compared = partial(option, rich_help_panel=_GATE)


def export(
    context: typer.Context,
    model: ModelArgument = DEFAULT_MODEL,
    to: Annotated[
        Format,
        _written(
            help="onnx: one .onnx of opset 18. openvino: .xml and .bin. torch: .pt2 of torch.export. "
            "lesionctl: a model file."
        ),
    ] = Format.ONNX,
    out: Annotated[
        Path | None, _written(metavar="FILE", help="Where it goes. \\[default: the model's name, here]")
    ] = None,
    precision: Annotated[
        Storage,
        _written(
            help="fp32; fp16: half the file, computed in float32; bf16: torch alone, computed in bfloat16; "
            "int8: onnx and openvino, fitted to up to half of --images and compared on the others."
        ),
    ] = Storage.FP32,
    raw: Annotated[
        bool,
        _written_flag(
            "--raw", help="The network alone: normalised float32 \\[N, 3, S, S] in, logits \\[N, 1, S, S] out."
        ),
    ] = False,
    aot_inductor: Annotated[
        bool,
        _written_flag(
            "--aot-inductor", help="With --to torch: machine code for processors like this one; needs a C++ compiler."
        ),
    ] = False,
    overwrite: Annotated[bool, _written_flag("--overwrite", help="Replace what stands there already.")] = False,
    images: Annotated[
        list[str] | None,
        _compared(
            metavar="INPUT",
            help="Pictures: files, folders, patterns. \\[default: eight that are drawn for it]",
        ),
    ] = None,
    masks: Annotated[
        Path | None, _compared(metavar="DIR", help="Their true masks: tells the Dice of both models against them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a model for another runtime, and compare it with the original.

    Pictures of bytes go in and probabilities come out: all preprocessing is inside. The file is loaded in its own
    runtime and compared with the original in float32. Where they differ by more than this, there is
    no file, and the exit code is 4:

    fp32: every probability within 0.001, Dice between the masks 0.999 on each picture, 0.9999 on average.

    fp16: every probability within 0.005, Dice between the masks 0.998 on each picture, 0.999 on average.

    bf16: 99.9 % of the probabilities within 0.15, Dice between the masks 0.9 on each picture, 0.99 on average.

    int8: 99.9 % of the probabilities within 0.4, Dice between the masks 0.5 on each picture, 0.98 on average.

    Examples:
        # the bundled model, for onnxruntime
        lesionctl export --to onnx
        # in 8 bits, fitted to pictures like those that it will see
        lesionctl export run --to openvino --precision int8 --images demo/images --masks demo/masks
        # a program of torch, in bfloat16
        lesionctl export run --to torch --precision bf16 --out run.pt2
    """
    from lesionctl.dataset.inputs import find_inputs
    from lesionctl.export.export import ExportOptions, export_model
    from lesionctl.runtime.exported_file import Form
    from lesionctl.runtime.load import find_model

    terminal = terminal_of(context)
    source = find_model(model)
    options = ExportOptions(
        to=to,
        storage=precision,
        form=Form.RAW if raw else Form.WHOLE,
        compiled=aot_inductor,
        images=tuple(item.path for item in find_inputs(images or [])),
        masks=masks,
        overwrite=overwrite,
    )
    save_config(context)
    exported = export_model(source, out or Path(f"{source.stem}{to.suffix}"), options, terminal)
    if as_json:
        terminal.json(exported.to_dict())
        return
    for file in exported.files:
        terminal.line(str(file))
    terminal.say(exported.describe())
