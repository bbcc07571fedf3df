"""Models as ONNX for the runtimes that need it: made once, kept in the cache."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl import __version__
from lesionctl.atomic import write_bytes
from lesionctl.errors import GateError, LesionctlError
from lesionctl.paths import CACHE_VARIABLE, cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

_DRAWN_PICTURES = 2


def as_onnx(path: Path, digest: str, open_file: Callable[[Path], Segmenter]) -> Path:
    """A model file as ONNX, from the cache; it is written there where it is not yet, if it says the same.

    Args:
        path: The model file.
        digest: SHA-256 of its bytes, in hex; in the cache it goes by that and by the versions of what wrote it.
        open_file: Loads an ONNX file in the runtime that needs it, on the CPU in float32.

    Raises:
        GateError: The ONNX file does not say the same as the model file; it is not kept.
        BadFile: The model file is damaged.
        MissingExtra: The packages that write ONNX are not installed.
        LesionctlError: The cache cannot be written.
    """
    target = cache_dir() / "onnx" / f"{digest}-{__version__}-torch-{version('torch')}.onnx"
    if not target.is_file():
        from lesionctl.nets.model_file import load_model
        from lesionctl.runtime.to_onnx import to_onnx

        spec, net = load_model(path)
        content = to_onnx(spec, net, source=digest)
        _check(path, spec, net, content, open_file)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, content)
        except OSError as error:
            raise LesionctlError(
                f"{path} cannot be kept as ONNX in {target.parent} ({error.strerror})",
                hint=f"set {CACHE_VARIABLE} to a folder that can be written, or use --backend torch",
            ) from error
    return target


def _check(path: Path, spec: ModelSpec, net: nn.Module, content: bytes, open_file: Callable[[Path], Segmenter]) -> None:
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.parity import compare, draw_examples
    from lesionctl.runtime.precision import Precision
    from lesionctl.runtime.tolerance import TOLERANCES, Storage
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    with tempfile.TemporaryDirectory() as scratch:
        candidate = Path(scratch) / "candidate.onnx"
        candidate.write_bytes(content)
        original = TorchSegmenter(spec, net, choose_compute("cpu", Precision.FP32))
        parity = compare(original, open_file(candidate), draw_examples(_DRAWN_PICTURES))
    if not parity.within(TOLERANCES[Storage.FP32]):
        raise GateError(
            f"{path} as ONNX differs from the original: {parity.describe()}", hint="leave out --backend, or take torch"
        )
