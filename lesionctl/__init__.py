"""Find the outline of a skin lesion in dermoscopic photographs.

From Python:

    >>> import lesionctl
    >>> mask, probability = lesionctl.load().segment("scan.jpg")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from lesionctl.runtime.model import Model

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


def load(
    model: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "",
    *,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "auto",
    tta: bool = False,
) -> Model:
    """Make a model ready to run.

    Args:
        model: A model file, a run or folds directory, or the name of a bundled model, which is the default; several
            answer together.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: auto, fp32, bf16 or fp16.
        backend: auto, torch, onnxruntime or openvino.
        tta: Average over the eight ways to turn a picture.

    Returns:
        A model whose `segment` takes a picture file or an array, uint8 `[H, W, 3]`, and returns the mask, bool
        `[H, W]`, and the probabilities, float32 `[H, W]`.

    Raises:
        lesionctl.errors.LesionctlError: There is no such model or device, a file is damaged, or a package is missing.
        TypeError: The model is no name or path, and no sequence of these.
        ValueError: The precision or the backend is none of these, or the sequence is empty.
    """
    from lesionctl.runtime.backend import Backend
    from lesionctl.runtime.load import load_segmenter
    from lesionctl.runtime.model import Model, model_names
    from lesionctl.runtime.precision import Precision

    segmenter = load_segmenter(model_names(model), device, Precision(precision), Backend(backend))
    if tta:
        from lesionctl.runtime.views import DihedralSegmenter

        segmenter = DihedralSegmenter(segmenter)
    return Model(segmenter)
