"""Models as ONNX for the runtimes that need it: made once, kept in the cache."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from lesionctl import __version__
from lesionctl.atomic import write_bytes
from lesionctl.errors import LesionctlError
from lesionctl.paths import CACHE_VARIABLE, cache_dir

if TYPE_CHECKING:
    from pathlib import Path


def as_onnx(path: Path, digest: str) -> Path:
    """A model file as ONNX, from the cache; it is written there where it is not yet.

    Args:
        path: The model file.
        digest: SHA-256 of its bytes, in hex; in the cache it goes by that and by the versions of what wrote it.

    Raises:
        BadFile: The model file is damaged.
        MissingExtra: The packages that write ONNX are not installed.
        LesionctlError: The cache cannot be written.
    """
    target = cache_dir() / "onnx" / f"{digest}-{__version__}-torch-{version('torch')}.onnx"
    if not target.is_file():
        from lesionctl.nets.model_file import load_model
        from lesionctl.runtime.to_onnx import to_onnx

        content = to_onnx(*load_model(path), source=digest)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, content)
        except OSError as error:
            raise LesionctlError(
                f"{path} cannot be kept as ONNX in {target.parent} ({error.strerror})",
                hint=f"set {CACHE_VARIABLE} to a folder that can be written, or use --backend torch",
            ) from error
    return target
