"""Number formats of the forward and backward pass."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """Number format of the forward and backward pass; weights and losses stay float32."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
