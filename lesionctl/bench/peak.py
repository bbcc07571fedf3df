"""What a machine can do at most, measured on the spot, and how much of that a model gets out of it."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lesionctl.progress import format_bytes
from lesionctl.runtime.host_memory import memory_for_this_process
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from lesionctl.bench.work import Work

_SIDES = {"cpu": (512, 1024, 2048), "mps": (1024, 2048, 4096), "cuda": (1024, 2048, 4096, 8192)}
"""Matrices are tried in these sizes: small ones do not fill a device, large ones leave its caches."""

_COPIED = {"cpu": 2**28, "mps": 2**28, "cuda": 2**30}
"""Bytes of the buffer that is copied: many times what caches hold."""

_FORWARD_PASSES_PER_STEP = 3
"""A training step computes the forward pass, and backward as much again for inputs and for weights each."""


@dataclass(frozen=True)
class Peak:
    """What was measured; None where it could not be.

    Attributes:
        operations_per_second: Multiplications and additions, each counted, of a large matrix product.
        bytes_per_second: Read and written by a copy within the device's memory.
        bytes_per_number: In the number format that was asked for.
        how: What was run, in words.
    """

    operations_per_second: float | None
    bytes_per_second: float | None
    bytes_per_number: int
    how: str

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)


@dataclass(frozen=True)
class Share:
    """How near a model comes to the measured peak; 1 is the peak, None stands for what could not be measured.

    The larger of the two says what bounds the model, and how much a better implementation of the same layers could
    still gain. A small share of operations alone does not mean that a program is poor: a depthwise convolution does few
    operations for each number that it reads, and is bound by memory, not by arithmetic; small layers are bound by
    neither, but by the time that it takes to start them. Both peaks are measured, not a maker's figures, so a share may
    exceed 1 a little by noise, and that of the bandwidth by much where caches hold what one layer leaves to the next.

    Attributes:
        of_operations: Of the arithmetic.
        of_bandwidth: Of the memory's bandwidth, if each layer is a pass of its own through memory (see `Work.moved`).
    """

    of_operations: float | None
    of_bandwidth: float | None

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)


def measure_peak(device: str, precision: Precision, threads: int, seconds: float = 0.3) -> Peak:
    """Measure what a device can do at most: a matrix product, and a copy as in STREAM (McCalpin 1995).

    torch computes both, whatever backend it is compared with: the yardstick is the machine's. Each is the fastest of
    repeated runs, for what disturbs a run only ever slows it. A processor that does not multiply bfloat16 or
    float16 computes them in float32, so there the faster of the two counts; on CUDA, float32 counts as TF32 too, in
    which cuDNN's convolutions multiply unless they are told otherwise. For int8 there is no product in torch to measure
    by: give the format of the layers around it, and read a share above 1 as what int8 has gained.

    It needs memory of its own, so it belongs into another process than one whose peak memory is measured.

    Args:
        device: cpu, cuda, cuda:N or mps; torch measures nothing on others, as OpenVINO's gpu.
        precision: Resolved, never AUTO.
        threads: Of the CPU; torch has as many as before afterwards.
        seconds: For the product, and for the copy, about; each number format takes as long.
    """
    import torch

    bytes_per_number = _types()[precision].itemsize
    try:
        there = torch.device(device)
        torch.empty(1, device=there)
    except (RuntimeError, AssertionError):  # no such device, or a torch that was built without it
        return Peak(None, None, bytes_per_number, f"torch {torch.__version__} cannot compute on '{device}'")
    # Events are recorded on the current device, whichever the work is on.
    on_device = torch.cuda.device(there) if there.type == "cuda" else nullcontext()
    with _threads(threads), on_device, torch.inference_mode():
        products = {name: _product(there, name, seconds) for name in _formats(there, precision)}
        copied, bandwidth = _copy(there, seconds)
    fastest, (side, operations) = max(products.items(), key=lambda product: product[1][1])
    where = f"{threads} {'thread' if threads == 1 else 'threads'}" if there.type == "cpu" else str(there)
    how = f"{side}×{side} matrix product in {fastest}, copy of {format_bytes(copied)}; torch on {where}"
    return Peak(operations, bandwidth, bytes_per_number, how)


def share(images_per_second: float, work: Work, peak: Peak, *, batch_size: int = 1, training: bool = False) -> Share:
    """What part of the measured peak a model reaches.

    Args:
        images_per_second: How fast it is.
        work: What a picture takes it.
        peak: What the device can do.
        batch_size: Pictures per forward pass, among which reading the weights is shared out.
        training: The pictures were trained on: three times the operations of a forward pass; what backward moves is not
            known.
    """
    passes = _FORWARD_PASSES_PER_STEP if training else 1
    operations = images_per_second * 2 * work.multiply_adds * passes
    moved = images_per_second * (work.moved + work.moved_once / batch_size) * peak.bytes_per_number
    return Share(
        operations / peak.operations_per_second if peak.operations_per_second else None,
        moved / peak.bytes_per_second if peak.bytes_per_second and not training else None,
    )


def _types() -> dict[str, torch.dtype]:
    import torch

    return {Precision.FP32: torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def _formats(device: torch.device, precision: Precision) -> list[str]:
    """The number formats of which the fastest counts."""
    if device.type == "cuda":
        return ["fp32", "tf32"] if precision is Precision.FP32 else [precision.value]
    return list(dict.fromkeys([precision.value, "fp32"])) if device.type == "cpu" else [precision.value]


def _product(device: torch.device, number_format: str, seconds: float) -> tuple[int, float]:
    """The side of the square matrices whose product is fastest, and its operations per second."""
    import torch

    sides, rates = _SIDES[device.type], {}
    with _float32_as(number_format):
        for side in sides:
            left, right = torch.rand(2, side, side, device=device).to(_types()[number_format])
            product = torch.empty_like(left)
            taken = _fastest(lambda: torch.mm(left, right, out=product), device, seconds / len(sides))  # noqa: B023
            rates[side] = 2 * side**3 / taken
            if 8 * taken > seconds:  # the next side would take longer than all of them may
                break
    side = max(rates, key=rates.__getitem__)
    return side, rates[side]


def _copy(device: torch.device, seconds: float) -> tuple[int, float]:
    """Bytes of the buffer, and bytes read and written per second."""
    import torch

    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory_for_this_process()
    size = min(_COPIED[device.type], (free or _COPIED[device.type] * 8) // 8)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return size, 2 * size / _fastest(lambda: target.copy_(source), device, seconds)


def _fastest(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Of runs for about so many seconds, one at least, after one that warms up."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        taken.append(_seconds(work, device))
    return min(taken)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    import torch

    if device.type == "cuda":
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        began.record()
        work()
        ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended)) / 1e3
    began_at = time.perf_counter()
    work()
    if device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - began_at


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _float32_as(number_format: str) -> Iterator[None]:
    """Let CUDA multiply float32 as it is, or as TF32."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if number_format == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
