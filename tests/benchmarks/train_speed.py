"""Training pictures per second, beside other programs and without each of the measures that make it fast.

    python tests/benchmarks/train_speed.py STORE --rival "python their_script.py IMAGES MASKS" --turns 3
    python tests/benchmarks/train_speed.py STORE --parts

A rival prints one line of JSON with `images_per_second`. All are run in turn, each in a process of its own; of each the
median is given, and of the ratios. As in the rivals that this was written for, the first five steps are not timed, the
next forty are, data loading included. `--parts` takes one measure away at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WARM_UP = 5

PARTS = {
    "all of it": {},
    "float32 instead of bfloat16": {"precision": "fp32"},
    "default memory layout": {"layout": "default"},
    "freed memory given back": {"memory": "returned"},
    "slow depthwise kernels in bfloat16": {"depthwise": "bf16"},
    "decoder to stride 1": {"decoder_stride": 1},
    "pictures varied by one thread": {"threads": 1},
    "without varying them": {"augment": "none"},
}


class EnoughError(Exception):
    """Enough steps are timed."""


def measure(store: Path, options: dict, steps: int) -> float:
    """Pictures per second of the real loop on the steps after the warm-up."""
    from lesionctl.progress import Silent
    from lesionctl.runtime import device
    from lesionctl.train import data, loop
    from lesionctl.train.options import TrainOptions

    # What follows takes measures away that no option can.
    if options.pop("layout", "") == "default":
        device.Compute.place = lambda self, module: module.to(self.device)
    if options.pop("memory", "") == "returned":
        device.keep_freed_memory = lambda: None
    if options.pop("depthwise", "") == "bf16":
        loop.train_depthwise_in_float32 = lambda *_: None
    if threads := options.pop("threads", 0):
        loader = data.ThreadedLoader.__init__
        data.ThreadedLoader.__init__ = lambda self, pictures, batches, _: loader(self, pictures, batches, threads)

    class Clock(Silent):
        times: list[float] = []  # noqa: RUF012

        @contextlib.contextmanager
        def task(self, *_args, **_options):
            yield self

        def advance(self, _=1):
            self.times.append(time.perf_counter())
            if len(self.times) == WARM_UP + steps:
                raise EnoughError

        def note(self, text):
            """Say nothing."""

    options = TrainOptions(**{"encoder_weights": "none", "epochs": 100, "save_every": 1e6, "overlays": 0, **options})
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch, contextlib.suppress(EnoughError):
        loop.train(store, Path(scratch) / "run", options, progress=clock)
    return steps * options.batch_size / (clock.times[-1] - clock.times[WARM_UP - 1])


def run(command: list[str]) -> float:
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])["images_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rival", action="append", default=[], help="a command; may be repeated")
    parser.add_argument("--parts", action="store_true", help="take one measure away at a time")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="steps that are timed, after a warm-up of five")
    parser.add_argument("--options", type=json.loads, default={}, help="fields of TrainOptions as JSON")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps({"images_per_second": measure(given.store, given.options, given.steps)}))
        return

    def ours(more: dict) -> list[str]:
        options = json.dumps({**given.options, **more})
        return [
            sys.executable,
            __file__,
            str(given.store),
            "--child",
            "--steps",
            str(given.steps),
            "--options",
            options,
        ]

    ways = {name: ours(more) for name, more in PARTS.items()} if given.parts else {"lesionctl": ours({})}
    ways |= {rival: shlex.split(rival) for rival in given.rival}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.turns):
        for name, command in ways.items():
            speeds[name].append(run(command))
    first = next(iter(speeds.values()))
    for name, speed in speeds.items():
        ratio = statistics.median(one / other for one, other in zip(first, speed, strict=True))
        print(f"{statistics.median(speed):7.1f} pictures/s  {ratio:5.2f}  {name}")


if __name__ == "__main__":
    main()
