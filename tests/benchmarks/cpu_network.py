"""What two measures gain on this machine's CPU: kept memory, and float32 depthwise convolutions in bfloat16 training.

    python tests/benchmarks/cpu_network.py

Each line compares the two ways in turn, in this run, on the same random batch: pairs, then the median of their ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import torch

from lesionctl.nets.build import build_net
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime import device
from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.runtime.device import Compute, choose_compute
from lesionctl.runtime.precision import Precision

SPEC = UNetSpec("tf_efficientnet_lite0", (160, 96, 48, 32))
PAIRS = 3


def seconds_of_a_step(net: torch.nn.Module, compute: Compute, *, training: bool) -> float:
    images = torch.rand(16, 3, 256, 256).to(memory_format=torch.channels_last)
    began = time.perf_counter()
    with torch.set_grad_enabled(training), compute.autocast():
        logits = net(images)
    if training:
        logits.float().square().mean().backward()
    return time.perf_counter() - began


def measure(kind: str, precision: Precision, *, keep: bool) -> float:
    """Median seconds of a step in a process of its own, since kept memory cannot be given up again."""
    if not keep:
        device.keep_freed_memory = lambda: None
    compute = choose_compute("cpu", precision)
    net = compute.place(build_net(SPEC)).train(kind == "train")
    times = [seconds_of_a_step(net, compute, training=kind == "train") for _ in range(6)]
    return statistics.median(times[2:])


def compare_kept_memory() -> None:
    for kind in ("train", "predict"):
        for precision in (Precision.BF16, Precision.FP32):
            ratios = []
            for _ in range(PAIRS):
                returned, kept = (
                    float(subprocess.check_output([sys.executable, __file__, kind, precision, way]))
                    for way in ("return", "keep")
                )
                ratios.append(returned / kept)
            print(f"kept memory, {kind}, {precision}: {statistics.median(ratios):.2f} times as fast")


def compare_depthwise() -> None:
    compute = choose_compute("cpu", Precision.BF16)
    plain, split = (compute.place(build_net(SPEC)).train() for _ in range(2))
    train_depthwise_in_float32(split, compute)
    ratios = []
    for turn in range(PAIRS + 2):
        pair = [seconds_of_a_step(net, compute, training=True) for net in (plain, split)]
        if turn >= 2:
            ratios.append(pair[0] / pair[1])
    print(f"float32 depthwise, train, bf16: {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1], Precision(sys.argv[2]), keep=sys.argv[3] == "keep"))
    else:
        compare_depthwise()
        compare_kept_memory()
