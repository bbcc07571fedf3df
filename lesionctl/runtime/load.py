"""From what a person calls a model to a Segmenter that runs it."""

from __future__ import annotations

import hashlib
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.errors import BadFile, UsageError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.backend import Backend, fastest_for_onnx, fastest_on_cpu, may_have_accelerator
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.runtime.onnx_segmenter import OnnxSegmenter
    from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter
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
    names: str | Sequence[str],
    device: str = "auto",
    precision: Precision = Precision.AUTO,
    backend: Backend = Backend.AUTO,
    pictures: int | None = None,
) -> Segmenter:
    """Make a model ready to run, or several as one.

    AUTO takes, for each model, the fastest backend that is installed and can run its file as it is: torch runs model
    files (`.safetensors`) on CUDA, MPS and the CPU; OpenVINO and onnxruntime run `.onnx` files, and on the CPU also a
    model file beside which lies an `.onnx` file of the same name that says that it was made from it, as beside the
    bundled one. A named backend runs model files of any kind, and makes the ONNX file itself, once, in the cache.

    Args:
        names: One name or several, see `find_models`. Several models, and the folds of a folds directory, are an
            `EnsembleSegmenter`.
        device: See `choose_compute`; OpenVINO has gpu too. Another one than what was asked for is never taken.
        precision: AUTO takes what the backend is fastest in on the device.
        backend: What runs the models.
        pictures: How many there will be, if that is known: for a few, AUTO counts the time to start too.

    Returns:
        The model; its `digest` is that of the file that was named, whatever runs it.

    Raises:
        UsageError: There is no such model or no such device, the models do not go together, or the backend cannot run
            such a file, on such a device or in such a precision.
        BadFile: A file is damaged.
        MissingExtra: The backend, or what makes the file that it needs, is not installed.
    """
    precision, backend = Precision(precision), Backend(backend)
    paths = find_models([names] if isinstance(names, str) else names)
    segmenters = [_load(path, device, precision, backend, pictures) for path in paths]
    if len(segmenters) == 1:
        return segmenters[0]

    from lesionctl.runtime.ensemble import EnsembleSegmenter

    return EnsembleSegmenter(segmenters)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        BadFile: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error


def _load(path: Path, device: str, precision: Precision, backend: Backend, pictures: int | None) -> Segmenter:
    digest = digest_of(path)
    segmenter: Segmenter
    if path.suffix in {".onnx", ".xml"}:
        segmenter = _load_exported(path, device, precision, backend)
    elif backend is Backend.AUTO:
        chosen = fastest_on_cpu(precision, pictures) if _is_cpu(device) else Backend.TORCH
        twin = None if chosen is Backend.TORCH else _load_twin(path, digest, "cpu", precision, chosen)
        segmenter = twin or _load_in_torch(path, device, precision)
    elif backend is Backend.TORCH:
        segmenter = _load_in_torch(path, device, precision)
    else:
        segmenter = _load_twin(path, digest, device, precision, backend) or _load_converted(
            path, digest, device, precision, backend
        )
    segmenter.digest = digest
    return segmenter


def _load_exported(path: Path, device: str, precision: Precision, backend: Backend) -> Segmenter:
    if path.suffix == ".xml" and backend not in {Backend.AUTO, Backend.OPENVINO}:
        raise UsageError(f"{path} is for OpenVINO, {backend} cannot run it", hint="use --backend openvino")
    if backend is Backend.TORCH:
        raise UsageError(
            f"torch cannot run {path}", hint="name the .safetensors file that it was made from, or leave out --backend"
        )
    if backend is Backend.AUTO:
        backend = Backend.OPENVINO if path.suffix == ".xml" else fastest_for_onnx(device)
    return _open(path, device, precision, backend)


def _load_twin(
    path: Path, digest: str, device: str, precision: Precision, backend: Backend
) -> OnnxSegmenter | OpenVinoSegmenter | None:
    """The ONNX file beside a model file, if it was made from that; one that is older or damaged is left alone."""
    twin = path.with_suffix(".onnx")
    if not twin.is_file():
        return None
    try:
        segmenter = _open(twin, device, precision, backend)
    except BadFile:
        return None
    return segmenter if segmenter.source == digest else None


def _load_converted(path: Path, digest: str, device: str, precision: Precision, backend: Backend) -> Segmenter:
    from lesionctl.runtime.conversion import as_onnx

    return _open(as_onnx(path, digest), device, precision, backend)


def _load_in_torch(path: Path, device: str, precision: Precision) -> Segmenter:
    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    compute = choose_compute(device, precision)
    return TorchSegmenter(*load_model(path), compute)


def _open(path: Path, device: str, precision: Precision, backend: Backend) -> OnnxSegmenter | OpenVinoSegmenter:
    if backend is Backend.OPENVINO:
        from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter

        return OpenVinoSegmenter(path, device, precision)

    from lesionctl.runtime.onnx_segmenter import OnnxSegmenter

    return OnnxSegmenter(path, device, precision)


def _is_cpu(device: str) -> bool:
    if device != "auto" or not may_have_accelerator():
        return device in {"auto", "cpu"}

    from lesionctl.runtime.device import has_accelerator

    return not has_accelerator()


def _fold_numbers(path: Path) -> list[int]:
    """The numbers of the folds that a directory holds, ascending; none where it is no folds directory."""
    return sorted(int(fold.name.removeprefix("fold-")) for fold in path.glob("fold-*") if _FOLD.fullmatch(fold.name))
