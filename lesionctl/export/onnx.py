"""To ONNX: bytes in, probabilities out, everything between inside the graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING

import torch

from lesionctl.errors import MissingExtra
from lesionctl.nets.model_spec import METADATA_KEY
from lesionctl.runtime.torch_segmenter import WholeModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from lesionctl.nets.model_spec import ModelSpec

OPSET = 18


def to_onnx(spec: ModelSpec, net: nn.Module) -> bytes:
    """The bytes of an ONNX file.

    Its input `image` is uint8 `[N, size, size, 3]` RGB, its output `probability` float32 `[N, size, size]`; N is free.
    The model's spec is the metadata entry `lesionctl`.

    Args:
        spec: How the model is used.
        net: The network, float32, in evaluation mode, on the CPU.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and would fail with a less helpful error
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "onnx", "exporting to ONNX") from error
    pictures = torch.zeros(2, spec.size, spec.size, 3, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            WholeModel(net, spec).eval(),
            (pictures,),
            input_names=["image"],
            output_names=["probability"],
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # torch returns None only where it writes the file itself
    model = program.model_proto
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    return model.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Torch's exporter prints its progress and warns of its own internals; none of it helps a person."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
