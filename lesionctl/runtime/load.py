"""From what a person calls a model to a Segmenter that runs it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.runtime.segmenter import Segmenter

_MODEL = "model.safetensors"
_FOLD = re.compile(r"fold-\d+")


def find_model(name: str) -> Path:
    """The file of a model.

    Args:
        name: A model file, a run directory, or the name of a bundled model.

    Raises:
        UsageError: There is nothing of that name, or there are the models of several folds.
    """
    path = Path(name)
    if path.is_file():
        return path
    if (path / _MODEL).is_file():
        return path / _MODEL
    folds = _fold_numbers(path)
    if folds:
        raise UsageError(
            f"{path} holds the models of a cross-validation, and one is needed",
            hint=f"name one of them: {path / f'fold-{folds[0]}'}",
        )
    bundled = BUNDLED_MODELS / f"{name}.safetensors"
    if path.name == name and bundled.is_file():
        return bundled
    names = bundled_models()
    near = get_close_matches(name, names, n=1)
    known = f"give a model file, a run directory, or one of: {', '.join(names)}"
    raise UsageError(f"there is no model '{name}'", hint=f"did you mean '{near[0]}'?" if near else known)


def find_models(names: Sequence[str]) -> list[Path]:
    """The files of models.

    Args:
        names: Each as in `find_model`, or a folds directory, which stands for all of its models: `fold-0`, `fold-1` and
            so on, each a run directory.

    Raises:
        UsageError: There is nothing of a name, or a fold has no model.
    """
    paths = []
    for name in names:
        path = Path(name)
        folds = [] if (path / _MODEL).is_file() else _fold_numbers(path)
        models = [path / f"fold-{number}" / _MODEL for number in range(max(folds) + 1)] if folds else [find_model(name)]
        for model in models:
            if not model.is_file():
                raise UsageError(
                    f"{path} lacks the model of a fold: there is no {model}",
                    hint="train that fold, or name the models that are to be used",
                )
        paths += models
    return paths


def bundled_models() -> list[str]:
    """Names of the models that come with the program."""
    return sorted(path.stem for path in BUNDLED_MODELS.glob("*.safetensors"))


def load_segmenter(
    names: str | Sequence[str], device: str = "auto", precision: Precision = Precision.AUTO
) -> Segmenter:
    """Make a model ready to run, or several as one.

    Args:
        names: One name or several, see `find_models`; an `.onnx` file runs in onnxruntime, anything else in torch.
            Several models, and the folds of a folds directory, are an `EnsembleSegmenter`.
        device: See `choose_compute`.
        precision: See `choose_compute`; an ONNX file has its own.

    Raises:
        UsageError: There is no such model or no such device, or the models do not go together.
        BadFile: A file is damaged.
        MissingExtra: The runtime that a file needs is not installed.
    """
    paths = find_models([names] if isinstance(names, str) else names)
    segmenters = [_load(path, device, precision) for path in paths]
    if len(segmenters) == 1:
        return segmenters[0]

    from lesionctl.runtime.ensemble import EnsembleSegmenter

    return EnsembleSegmenter(segmenters)


def _load(path: Path, device: str, precision: Precision) -> Segmenter:
    if path.suffix == ".onnx":
        from lesionctl.runtime.onnx_segmenter import OnnxSegmenter

        return OnnxSegmenter(path, device)

    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    return TorchSegmenter(*load_model(path), choose_compute(device, precision))


def _fold_numbers(path: Path) -> list[int]:
    """The numbers of the folds that a directory holds, ascending; none where it is no folds directory."""
    return sorted(int(fold.name.removeprefix("fold-")) for fold in path.glob("fold-*") if _FOLD.fullmatch(fold.name))
