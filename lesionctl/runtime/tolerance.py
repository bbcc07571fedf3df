"""How far a copy of a model may be from its original, by the number format of the copy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Storage(StrEnum):
    """Number format of an exported model."""

    FP32 = "fp32"
    """Stored and computed in float32."""
    FP16 = "fp16"
    """Large tensors are stored in float16 and turned into float32 again: half the file, the same computation."""
    BF16 = "bf16"
    """Stored and computed in bfloat16."""
    INT8 = "int8"
    """Convolutions are stored and computed in 8 bits."""


@dataclass(frozen=True)
class Tolerance:
    """How far a copy may be from its original.

    Formats that round what is computed move single pixels of the outline far: there, the bulk of the pixels and the
    mean over the pictures say whether the copy is sound, and each picture has to show the same lesion still. On 899
    real pictures, the bundled model has a Dice with itself of 0.81 at the least in int8, and of 0.97 in bfloat16.

    Attributes:
        quantile: Bound of the difference of 99.9 % of the probabilities.
        mean_dice: Smallest mean over the pictures of the Dice between the two masks.
        smallest_dice: Smallest Dice between the two masks of a picture.
        largest: Bound of the difference of every probability; None where there is none.
    """

    quantile: float
    mean_dice: float
    smallest_dice: float
    largest: float | None = None

    def describe(self) -> str:
        """The same in words."""
        bulk = "of them" if self.largest is not None else "of the probabilities"
        bounds = [
            f"every probability within {self.largest:g}" if self.largest is not None else "",
            f"99.9 % {bulk} within {self.quantile:g}" if self.quantile != self.largest else "",
            f"Dice between the masks {self.smallest_dice:g} on each picture, {self.mean_dice:g} on average",
        ]
        return ", ".join(bound for bound in bounds if bound)


TOLERANCES = {
    Storage.FP32: Tolerance(quantile=1e-3, mean_dice=0.9999, smallest_dice=0.999, largest=1e-3),
    Storage.FP16: Tolerance(quantile=5e-3, mean_dice=0.999, smallest_dice=0.998, largest=5e-3),
    Storage.BF16: Tolerance(quantile=0.15, mean_dice=0.99, smallest_dice=0.9),
    Storage.INT8: Tolerance(quantile=0.4, mean_dice=0.98, smallest_dice=0.5),
}
