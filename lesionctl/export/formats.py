"""What a model can be exported to."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """Kind of file."""

    ONNX = "onnx"
    TORCH = "torch"

    @property
    def suffix(self) -> str:
        """Ending of its files."""
        return ".onnx" if self is Format.ONNX else ".safetensors"


class Storage(StrEnum):
    """Number format of the stored weights."""

    FP32 = "fp32"
    FP16 = "fp16"
