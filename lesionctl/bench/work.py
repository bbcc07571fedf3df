"""How much there is to compute and to move for a picture: counted on the network, not measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.nets.spec import NetSpec
    from lesionctl.runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Work:
    """What a model has to do, whatever runs it.

    Attributes:
        parameters: Numbers that the weights are.
        multiply_adds: Multiplications, each with its addition, of all convolutions and matrix products for a picture.
            It is half of what is called FLOPs; what else there is (norms, activations, resizing) adds a few per cent.
        moved: Numbers that these layers read and write for a picture, weights apart, where each is a pass of its own
            through memory and all else is fused into it. Caches that hold them between layers save a part of it.
        moved_once: Numbers that a batch of any size reads once: the weights.
        file_bytes: Size of the model's files; None where it is from no file.
    """

    parameters: int
    multiply_adds: int
    moved: int
    moved_once: int
    file_bytes: int | None

    def __add__(self, other: Work) -> Work:
        """Of two models that both look at the picture."""
        files = [size for size in (self.file_bytes, other.file_bytes) if size is not None]
        return Work(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.moved + other.moved,
            self.moved_once + other.moved_once,
            sum(files) if files else None,
        )

    def repeated(self, times: int) -> Work:
        """Of one model that looks at a picture so many times; its weights and its file stay one."""
        return Work(
            self.parameters, times * self.multiply_adds, times * self.moved, times * self.moved_once, self.file_bytes
        )

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)


def describe_work(spec: ModelSpec, path: Path | None) -> Work:
    """Count what a model has to do for a picture.

    The network is built anew from its spec, without memory for weights or pictures, and torch's counter watches its
    forward pass. Exported files name their network too. Number format and int8 change nothing: they make a
    multiplication cheaper, not another one.

    Args:
        spec: How the model is used: the network and the size of its input.
        path: Its file, for the size: a model file of any format; of OpenVINO's `.xml`, the `.bin` beside it counts too.
    """
    multiply_adds, moved, moved_once, parameters = _count(spec.net, spec.size)
    return Work(parameters, multiply_adds, moved, moved_once, None if path is None else _bytes_of(path))


def describe_segmenter_work(segmenter: Segmenter, paths: Sequence[Path]) -> Work:
    """Count what a segmenter has to do for a picture: of several models the sum, of eight views eight times as much.

    Args:
        segmenter: The model.
        paths: The files of its models, in the order of an ensemble's members; none where they are from no file.
    """
    from lesionctl.runtime.ensemble import EnsembleSegmenter
    from lesionctl.runtime.views import VIEWS, DihedralSegmenter

    if isinstance(segmenter, DihedralSegmenter):
        return describe_segmenter_work(segmenter.segmenter, paths).repeated(VIEWS)
    members = segmenter.members if isinstance(segmenter, EnsembleSegmenter) else (segmenter,)
    files: list[Path | None] = [*paths] or [None] * len(members)
    return reduce(add, [describe_work(member.spec, file) for member, file in zip(members, files, strict=True)])


def _bytes_of(path: Path) -> int:
    weights = path.with_suffix(".bin")
    return sum(part.stat().st_size for part in ([path, weights] if path.suffix == ".xml" else [path]))


@cache
def _count(net_spec: NetSpec, size: int) -> tuple[int, int, int, int]:
    """Multiply-adds and moved numbers per picture, numbers moved once per batch, parameters."""
    import torch
    from torch.utils.flop_counter import flop_registry

    from lesionctl.nets.build import build_net

    with torch.device("meta"):
        net = build_net(net_spec).eval()
        multiply_adds = _total(net, (1, net_spec.in_channels, size, size)) // 2
        counts_numbers = dict.fromkeys(flop_registry, _numbers)
        one, two = (_total(net, (pictures, net_spec.in_channels, size, size), counts_numbers) for pictures in (1, 2))
    return multiply_adds, two - one, 2 * one - two, sum(parameter.numel() for parameter in net.parameters())


def _total(net: nn.Module, shape: tuple[int, ...], formulas: dict[Any, Any] | None = None) -> int:
    """What torch's counter adds up over a forward pass, by its own formulas or by others."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        net(torch.empty(shape))
    return int(counter.get_total_flops())


def _numbers(*arguments: Any, out_shape: Any, **_: Any) -> int:
    """A formula for torch's counter: the numbers in an operation's tensors, of which it gives the shapes."""
    import torch

    return sum(shape.numel() for shape in (*arguments, out_shape) if isinstance(shape, torch.Size))
