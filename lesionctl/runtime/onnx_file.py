"""A whole model as an ONNX file: bytes in, probabilities out, and what is needed to use it in the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lesionctl.errors import BadFile
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INPUT = "image"
"""uint8 `[N, size, size, 3]`, RGB; N is free."""

OUTPUT = "probability"
"""float32 `[N, size, size]`."""

SOURCE_KEY = f"{METADATA_KEY}.source"
"""Under this name the metadata hold the SHA-256, in hex, of the model file that the ONNX file was made from."""


class OnnxFacts(NamedTuple):
    """What an ONNX file of this program says of itself.

    Attributes:
        spec: How the model is used.
        source: SHA-256 of the model file that it was made from, in hex; empty where it does not say.
    """

    spec: ModelSpec
    source: str


def read_facts(path: Path, metadata: Mapping[str, str]) -> OnnxFacts:
    """Read the metadata of an ONNX file, as the runtime that opened it gives them.

    Args:
        path: The file, for the error.
        metadata: Its entries.

    Raises:
        BadFile: They do not say how the model is used.
    """
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise BadFile(path, "does not say how it is used", hint="write it with: lesionctl export MODEL --to onnx")
    try:
        return OnnxFacts(ModelSpec.from_json(text), metadata.get(SOURCE_KEY, ""))
    except ValueError as error:
        raise BadFile(path, f"cannot be used: {error}") from error
