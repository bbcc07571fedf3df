"""The whole of exporting: convert, load in its own runtime, compare, and only then give it its name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.atomic import write_bytes
from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.errors import GateError, UsageError
from lesionctl.export.formats import Format, Storage
from lesionctl.export.parity import Parity, Tolerance, compare
from lesionctl.imaging.decode import decode
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.load import digest_of, load_segmenter
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.to_onnx import to_onnx
from lesionctl.runtime.torch_segmenter import TorchSegmenter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionctl.imaging.arrays import Image

TOLERANCES = {
    Storage.FP32: Tolerance(difference=1e-3, dice=0.999),
    Storage.FP16: Tolerance(difference=5e-3, dice=0.998),
}

_DRAWN_PICTURES = 8


def export_model(
    source: Path,
    target: Path,
    to: Format,
    storage: Storage,
    images: list[Path],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Parity:
    """Write a model for another runtime, if it then says the same as the original in float32.

    Args:
        source: A model file of this program.
        target: The file to write.
        to: Its format.
        storage: Number format of its weights.
        images: Pictures to compare on; a few are drawn if there are none.
        overwrite: Replace a file that stands there already.
        progress: Who listens.

    Returns:
        How far the two agree.

    Raises:
        UsageError: The target exists already.
        GateError: The two differ by more than `TOLERANCES` allows; there is no file then.
        BadFile: The model or a picture cannot be read.
        MissingExtra: The format's packages are not installed.
    """
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists already", hint="pass --overwrite, or choose another --out")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    progress = progress or Silent()
    spec, net = load_model(source)
    with tempfile.TemporaryDirectory() as scratch:
        candidate = Path(scratch) / f"candidate{to.suffix}"
        progress.say(f"writing {spec.name} as {to}")
        if to is Format.ONNX:
            candidate.write_bytes(to_onnx(spec, net, source=digest_of(source), half=storage is Storage.FP16))
        else:
            save_model(candidate, spec, net.state_dict(), half=storage is Storage.FP16)
        original = TorchSegmenter(spec, net, choose_compute("cpu", Precision.FP32))
        copy = load_segmenter(str(candidate), "cpu", Precision.FP32)
        pictures = (decode(image).image for image in images) if images else _draw_pictures()
        total = len(images) or _DRAWN_PICTURES
        parity = compare(original, copy, track(progress, pictures, "comparing", total))
        if not parity.within(TOLERANCES[storage]):
            raise GateError(
                f"the exported model differs from the original: a probability by {parity.largest_difference:.2e}, "
                f"the masks of a picture to a Dice of {parity.smallest_dice:.5f}; {target} was not written"
            )
        write_bytes(target, candidate.read_bytes())
    return parity


def _draw_pictures() -> Iterator[Image]:
    for number in range(_DRAWN_PICTURES):
        yield paint_scene(0, plan_scene(0, number))[0]
