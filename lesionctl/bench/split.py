"""Where the time of a prediction goes, as figures: the limits that follow, what bounds, and what would help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lesionctl.imaging.mask_form import MaskForm

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCELERATOR = re.compile(r"\b(cuda|mps|gpu)\b")

# Below these shares of the processors' time, advice would not be worth following.
_WORTH_A_FORM = 0.05
_WORTH_A_BACKEND = 0.4


class Stage(StrEnum):
    """What happens to a picture, in order."""

    READ = "read"
    DECODE = "decode"
    RESIZE = "resize"
    """To the network's size."""
    FORWARD = "forward"
    UPSAMPLE = "upsample"
    """From probabilities to the mask at the picture's own size, post-processing included."""
    REVIEW = "review"
    """Whether a person should look at the mask."""
    ENCODE = "encode"
    WRITE = "write"


@dataclass(frozen=True)
class Machine:
    """What advice must know of this machine.

    Attributes:
        openvino: Whether OpenVINO is there and can be imported.
        bf16: Whether the processor multiplies bfloat16.
    """

    openvino: bool
    bf16: bool


@dataclass(frozen=True)
class Stages:
    """The time of a prediction, split.

    Attributes:
        backend: What ran the network, in which number format, on which device.
        form: How masks were written.
        processors: How many this process may use.
        pictures: How many were looked at.
        seconds: Of processor time per picture, by stage. Waiting (for a disk, for an accelerator) is no processor time.
        encoding: Of encoding, for each form.
        decoding: Pictures per second that all processors read, decode and resize where they do nothing else.
        network: Pictures per second that the network manages where nothing else is done.
        machine: What it was measured on.
    """

    backend: str
    form: MaskForm
    processors: int
    pictures: int
    seconds: Mapping[Stage, float]
    encoding: Mapping[MaskForm, float]
    decoding: float
    network: float
    machine: Machine

    @property
    def on_processor(self) -> bool:
        """Whether the network shares the processors with all other stages."""
        return _ACCELERATOR.search(self.backend) is None

    @property
    def shared(self) -> dict[Stage, float]:
        """Seconds per picture of the stages that share the processors: all, or all but an accelerator's network."""
        return {stage: time for stage, time in self.seconds.items() if self.on_processor or stage is not Stage.FORWARD}

    @property
    def spread(self) -> float:
        """Pictures per second where those stages are spread evenly over all processors: no pipeline is faster."""
        return self.processors / sum(self.shared.values())

    @property
    def shares(self) -> dict[Stage, float]:
        """What part of the time of the processors each of those stages takes, in [0, 1]."""
        total = sum(self.shared.values())
        return {stage: time / total for stage, time in self.shared.items()}

    @property
    def bound(self) -> Stage:
        """The stage to begin with: an accelerator's network if the processors wait for it, else what takes longest."""
        if not self.on_processor and self.network <= self.spread:
            return Stage.FORWARD
        return max(self.shared, key=lambda stage: self.shared[stage])

    @property
    def advice(self) -> list[str]:
        """What would make it faster, in words; what helps most is not always first."""
        if not self.on_processor and self.bound is Stage.FORWARD:
            return self._for_accelerator()
        advice = self._for_form() + (self._for_network() if self.on_processor else [])
        if not self.on_processor:
            advice.append(
                f"the network could do {self.network:.0f} pictures a second, and what the processors do for it limits "
                f"that to {self.spread:.0f}: give it more of them (SLURM: --cpus-per-task)"
            )
        at_work = "the processor is" if self.processors == 1 else f"all {self.processors} processors are"
        return advice or [
            f"{at_work} at work all the time: more of them would help (SLURM: --cpus-per-task), or another "
            "machine that takes a part of the pictures (--shard)"
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms: processor time in milliseconds per picture, limits in pictures per second."""
        return {
            "backend": self.backend,
            "mask_format": str(self.form),
            "processors": self.processors,
            "pictures": self.pictures,
            "ms": {str(stage): 1e3 * time for stage, time in self.seconds.items()},
            "encode_ms": {str(form): 1e3 * time for form, time in self.encoding.items()},
            "shares": {str(stage): share for stage, share in self.shares.items()},
            "limits": {"decoding": self.decoding, "network": self.network, "all stages": self.spread},
            "bound": str(self.bound),
            "advice": self.advice,
        }

    def _for_form(self) -> list[str]:
        total = sum(self.shared.values())
        grey, bits = (self.encoding[form] / total for form in (MaskForm.GREY8, MaskForm.BITS1))
        if self.form is MaskForm.BITS1 or grey - bits < _WORTH_A_FORM:
            return []
        return [
            f"encoding 8-bit masks takes {_percent(grey)} of the time, and 1-bit masks would take {_percent(bits)}: "
            "--mask-format 1-bit"
        ]

    def _for_network(self) -> list[str]:
        share = self.shares[Stage.FORWARD]
        if share < _WORTH_A_BACKEND:
            return []
        network, on_onnxruntime = f"the network takes {_percent(share)} of the time", "onnxruntime" in self.backend
        advice = []
        if "openvino" not in self.backend and (self.machine.bf16 or not on_onnxruntime):  # as fast in float32
            how = "--backend openvino" if self.machine.openvino else "pip install 'lesionctl[openvino]'"
            advice.append(f"{network}, and OpenVINO runs most networks faster: {how}")
        if "fp32" in self.backend and self.machine.bf16 and not on_onnxruntime:
            advice.append(f"{network} in float32: --precision bf16 is faster on this processor")
        if not self.machine.bf16:
            advice.append(
                f"{network}, and this processor has no bfloat16 instructions: one that has them, or a GPU, is faster"
            )
        return advice

    def _for_accelerator(self) -> list[str]:
        if "fp32" in self.backend and "onnxruntime" not in self.backend:
            return ["the network bounds, in float32: half as many bits are faster (leave out --precision fp32)"]
        return ["the network bounds: another device can take a part of the pictures (--shard)"]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
