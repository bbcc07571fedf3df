"""What a model can be exported to."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.runtime.tolerance import Storage

if TYPE_CHECKING:
    from collections.abc import Sequence


class Format(StrEnum):
    """Kind of file."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCH = "torch"
    LESIONCTL = "lesionctl"

    @property
    def suffix(self) -> str:
        """Ending of its files; of OpenVINO's two, that of the one that is named."""
        return _SUFFIXES[self]

    @property
    def storages(self) -> tuple[Storage, ...]:
        """In which number formats it can be written."""
        return _STORAGES[self]

    def check(self, storage: Storage, *, compiled: bool, raw: bool) -> None:
        """Refuse what makes no sense.

        Args:
            storage: Number format of the file.
            compiled: Whether it shall hold machine code.
            raw: Whether it shall take normalised pictures and give logits.

        Raises:
            UsageError: There is no such file.
        """
        if compiled and self is not Format.TORCH:
            raise UsageError(f"--aot-inductor is for --to torch, not for --to {self}")
        if raw and self is Format.LESIONCTL:
            raise UsageError("a model file of lesionctl has no raw form", hint="choose --to onnx, openvino or torch")
        if compiled and storage is Storage.FP16:
            raise UsageError(
                "--precision fp16 is for files whose weights are unpacked when they are loaded, and a compiled package "
                "would unpack them for each picture",
                hint="with --aot-inductor, choose --precision fp32 or bf16",
            )
        if storage not in self.storages:
            able = [other for other in Format if storage in other.storages]
            raise UsageError(
                f"--to {self} has no --precision {storage}: {_WHY_NOT[storage]}",
                hint=f"choose --precision {_any_of(self.storages)}, or --to {_any_of(able)}",
            )


def _any_of(names: Sequence[str]) -> str:
    """As in "fp32, fp16 or int8"."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_SUFFIXES = {
    Format.ONNX: ".onnx",
    Format.OPENVINO: ".xml",
    Format.TORCH: ".pt2",
    Format.LESIONCTL: ".safetensors",
}

_STORAGES = {
    Format.ONNX: (Storage.FP32, Storage.FP16, Storage.INT8),
    Format.OPENVINO: (Storage.FP32, Storage.FP16, Storage.INT8),
    Format.TORCH: (Storage.FP32, Storage.FP16, Storage.BF16),
    Format.LESIONCTL: (Storage.FP32, Storage.FP16),
}

_WHY_NOT = {
    # onnxruntime has no bfloat16 kernels for the CPU; OpenVINO and torch choose bfloat16 when they load a file.
    Storage.BF16: "its runtimes choose bfloat16 themselves where the processor has it, or lack it",
    Storage.INT8: "torch has no int8 convolutions that a file could carry to other machines",
}
