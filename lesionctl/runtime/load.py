"""From what a person calls a model to a Segmenter that runs it."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from lesionctl.runtime.segmenter import Segmenter


def find_model(name: str) -> Path:
    """The file of a model.

    Args:
        name: A model file, a run directory, or the name of a bundled model.

    Raises:
        UsageError: There is nothing of that name.
    """
    path = Path(name)
    if path.is_file():
        return path
    if (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    bundled = BUNDLED_MODELS / f"{name}.safetensors"
    if path.name == name and bundled.is_file():
        return bundled
    names = bundled_models()
    near = get_close_matches(name, names, n=1)
    known = f"give a model file, a run directory, or one of: {', '.join(names)}"
    raise UsageError(f"there is no model '{name}'", hint=f"did you mean '{near[0]}'?" if near else known)


def bundled_models() -> list[str]:
    """Names of the models that come with the program."""
    return sorted(path.stem for path in BUNDLED_MODELS.glob("*.safetensors"))


def load_segmenter(name: str, device: str = "auto", precision: Precision = Precision.AUTO) -> Segmenter:
    """Make a model ready to run.

    Args:
        name: See `find_model`; an `.onnx` file runs in onnxruntime, anything else in torch.
        device: See `choose_compute`.
        precision: See `choose_compute`; an ONNX file has its own.

    Raises:
        UsageError: There is no such model or no such device.
        BadFile: The file is damaged.
        MissingExtra: The runtime that the file needs is not installed.
    """
    path = find_model(name)
    if path.suffix == ".onnx":
        from lesionctl.runtime.onnx_segmenter import OnnxSegmenter

        return OnnxSegmenter(path, device)

    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    return TorchSegmenter(*load_model(path), choose_compute(device, precision))
