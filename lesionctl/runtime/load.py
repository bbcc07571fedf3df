"""From what a person calls a model to a Segmenter that runs it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.errors import BadFile, UsageError, did_you_mean
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.backend import (
    Backend,
    fastest_for_onnx,
    fastest_on_cpu,
    may_have_accelerator,
    onnxruntime_has_cuda,
)
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.tolerance import Storage
from lesionctl.runtime.world import device_of_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.runtime.onnx_segmenter import OnnxSegmenter
    from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter
    from lesionctl.runtime.segmenter import Segmenter
    from lesionctl.runtime.world import World

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
    known = f"give a model file, a run directory, or one of: {', '.join(names)}"
    raise UsageError(f"there is no model '{name}'", hint=did_you_mean(name, names, otherwise=known))


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
    world: World | None = None,
) -> Segmenter:
    """Make a model ready to run, or several as one.

    AUTO takes, for each model, the fastest backend that can be imported and can run its file as it is: torch runs model
    files (`.safetensors`) on CUDA, MPS and the CPU; OpenVINO and onnxruntime run `.onnx` files, and on the CPU also a
    model file beside which lies an `.onnx` file of the same name that says that it was made from it, as beside the
    bundled one. A named backend runs model files of any kind, and makes the ONNX file itself, once, in the cache, where
    it compares the two. `.xml` files are OpenVINO's, `.pt2` files torch's; the latter are to be trusted, see
    `ProgramSegmenter`.

    Args:
        names: One name or several, see `find_models`. Several models, and the folds of a folds directory, are an
            `EnsembleSegmenter`.
        device: See `choose_compute`; OpenVINO has gpu too. Another one than what was asked for is never taken.
        precision: AUTO takes what the backend is fastest in on the device.
        backend: What runs the models.
        pictures: How many there will be, if that is known: for a few, AUTO counts the time to start too.
        world: Where this process is one of several: of the GPUs, those on torch or onnxruntime each take their own.

    Returns:
        The model; its `digest` is that of the file that was named, whatever runs it.

    Raises:
        UsageError: There is no such model or no such device, the models do not go together, the backend cannot run
            such a file, on such a device or in such a precision, or several processes cannot share the device.
        BadFile: A file is damaged.
        MissingExtra: The backend, or what makes the file that it needs, is not installed.
        GateError: The ONNX file that a named backend needs was made, and does not say the same as the model file.
        LesionctlError: The backend is installed, but cannot be loaded.
    """
    precision, backend = Precision(precision), Backend(backend)
    paths = find_models([names] if isinstance(names, str) else names)
    segmenters = [_load(path, _Wish(device, precision, world), backend, pictures) for path in paths]
    if len(segmenters) == 1:
        return segmenters[0]

    from lesionctl.runtime.ensemble import EnsembleSegmenter

    return EnsembleSegmenter(segmenters)


def digest_of(path: Path) -> str:
    """SHA-256 of a model file's bytes, in hex; of OpenVINO's `.xml`, those of the `.bin` with its weights follow them.

    Raises:
        BadFile: It cannot be read.
    """
    digest = hashlib.sha256()
    weights = path.with_suffix(".bin")
    for part in [path, weights] if path.suffix == ".xml" and weights.exists() else [path]:
        try:
            with part.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        except OSError as error:
            raise BadFile(part, f"cannot be read ({error.strerror})") from error
    return digest.hexdigest()


class _Wish(NamedTuple):
    """Where and how to compute, as a person asked for it."""

    device: str
    precision: Precision
    world: World | None

    def own_device(self) -> str:
        """The device of this process, where the GPUs are shared out among several."""
        if self.world is None:
            return self.device
        return device_of_process(self.device, self.world.local_rank, self.world.size)


def _load(path: Path, wish: _Wish, backend: Backend, pictures: int | None) -> Segmenter:
    digest = digest_of(path)
    segmenter: Segmenter
    if path.suffix in {".onnx", ".xml"}:
        segmenter = _load_exported(path, wish, backend)
    elif path.suffix == ".pt2":
        segmenter = _load_program(path, wish, backend)
    elif backend is Backend.AUTO:
        may_be_twin = path.with_suffix(".onnx").is_file() and _is_cpu(wish.device)
        chosen = fastest_on_cpu(wish.precision, pictures) if may_be_twin else Backend.TORCH
        twin = None if chosen is Backend.TORCH else _load_twin(path, digest, wish._replace(device="cpu"), chosen)
        segmenter = twin or _load_in_torch(path, wish.own_device(), wish.precision)
    elif backend is Backend.TORCH:
        segmenter = _load_in_torch(path, wish.own_device(), wish.precision)
    else:
        segmenter = _load_twin(path, digest, wish, backend) or _load_converted(path, digest, wish, backend)
    segmenter.digest = digest
    return segmenter


def _load_exported(path: Path, wish: _Wish, backend: Backend) -> Segmenter:
    if path.suffix == ".xml" and backend not in {Backend.AUTO, Backend.OPENVINO}:
        raise UsageError(f"{path} is for OpenVINO, {backend} cannot run it", hint="use --backend openvino")
    if backend is Backend.TORCH:
        raise UsageError(
            f"torch cannot run {path}", hint="name the .safetensors file that it was made from, or leave out --backend"
        )
    if backend is Backend.AUTO:
        backend = Backend.OPENVINO if path.suffix == ".xml" else fastest_for_onnx(wish.device)
    return _open(path, wish, backend)


def _load_program(path: Path, wish: _Wish, backend: Backend) -> Segmenter:
    if backend not in {Backend.AUTO, Backend.TORCH}:
        raise UsageError(f"{path} is a program of torch, {backend} cannot run it", hint="use --backend torch")

    from lesionctl.runtime.program_segmenter import ProgramSegmenter

    return ProgramSegmenter(path, wish.own_device(), wish.precision)


def _load_twin(path: Path, digest: str, wish: _Wish, backend: Backend) -> OnnxSegmenter | OpenVinoSegmenter | None:
    """The ONNX file beside a model file, if it was made from that; one that is older or damaged is left alone.

    So is one in int8, which has other masks: it is used where it is named.
    """
    twin = path.with_suffix(".onnx")
    if not twin.is_file():
        return None
    try:
        segmenter = _open(twin, wish, backend)
    except BadFile:
        return None
    return segmenter if segmenter.source == digest and segmenter.storage != Storage.INT8 else None


def _load_converted(path: Path, digest: str, wish: _Wish, backend: Backend) -> Segmenter:
    from lesionctl.runtime.conversion import as_onnx

    plain = _Wish("cpu", Precision.FP32, None)
    return _open(as_onnx(path, digest, lambda file: _open(file, plain, backend)), wish, backend)


def _load_in_torch(path: Path, device: str, precision: Precision) -> Segmenter:
    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    compute = choose_compute(device, precision)
    return TorchSegmenter(*load_model(path), compute)


def _open(path: Path, wish: _Wish, backend: Backend) -> OnnxSegmenter | OpenVinoSegmenter:
    if backend is Backend.OPENVINO:
        from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter

        return OpenVinoSegmenter(path, wish.device, wish.precision)

    from lesionctl.runtime.onnx_segmenter import OnnxSegmenter

    # Torch, which counts the GPUs, is not asked where there is nothing to share out.
    device = wish.own_device() if wish.device != "cpu" and wish.world and onnxruntime_has_cuda() else wish.device
    return OnnxSegmenter(path, device, wish.precision)


def _is_cpu(device: str) -> bool:
    if device != "auto" or not may_have_accelerator():
        return device in {"auto", "cpu"}

    from lesionctl.runtime.device import has_accelerator

    return not has_accelerator()


def _fold_numbers(path: Path) -> list[int]:
    """The numbers of the folds that a directory holds, ascending; none where it is no folds directory."""
    return sorted(int(fold.name.removeprefix("fold-")) for fold in path.glob("fold-*") if _FOLD.fullmatch(fold.name))
