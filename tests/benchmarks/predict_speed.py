"""How fast `lesionctl predict` turns a folder of pictures into masks, beside another program, and where the time goes.

    python tests/benchmarks/predict_speed.py FOLDER [--rival "python their_script.py {images} {out}"] [--turns 3]

Whole processes, start-up included on both sides, in turn, each into an empty folder; the median of the turns. Then, in
one process and on the same pictures, processor time of each stage of a picture, and how long all pictures take when
they are only decoded, and only sent through the network, on all processors: no pipeline can be faster than the slower
of the two, nor, where the processor does both, than the sum of all stages spread over its cores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from lesionctl.atomic import write_bytes
from lesionctl.dataset.pairs import list_images
from lesionctl.imaging.decode import decode
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.masks import encode_mask
from lesionctl.imaging.measures import measure
from lesionctl.predict.review import review
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.stream import Segmented
from lesionctl.runtime.threads import available_cpus, parallel_map

R = TypeVar("R")


def race(images: Path, turns: int, backends: list[str], forms: list[str], rival: str | None) -> None:
    """Print pictures per second of whole processes, and the ratio to the rival in the same turn."""
    count = len(list_images(images))
    ours = {
        f"lesionctl, {backend}, {form}": f"{sys.executable} -m lesionctl -q predict {shlex.quote(str(images))} "
        f"--out {{out}} --backend {backend} --mask-format {form}"
        for backend in backends
        for form in forms
    }
    commands = {**ours, **({"rival": rival} if rival else {})}
    speeds: dict[str, list[float]] = defaultdict(list)
    for turn in range(turns):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory() as out:
                words = shlex.split(command.format(images=shlex.quote(str(images)), out=f"{out}/masks"))
                began = time.perf_counter()
                subprocess.run(words, check=True, capture_output=True)
                speeds[name].append(count / (time.perf_counter() - began))
                made = len(list(Path(out, "masks").glob("*.png")))
                if made != count:
                    sys.exit(f"{name} made {made} masks of {count} pictures")
        print(f"turn {turn + 1}: " + ", ".join(f"{name} {taken[-1]:.1f}" for name, taken in speeds.items()))
    print(f"\n{count} pictures, whole processes, median of {turns}; {available_cpus()} processors")
    for name, taken in speeds.items():
        ratio = ""
        if rival and name != "rival":
            ratio = f"   {median(np.divide(taken, speeds['rival'])):.2f} times the rival"
        print(f"  {name:36} {median(taken):6.1f} per second{ratio}")


def split(segmenter: Segmenter, paths: list[Path]) -> None:
    """Print processor time of each stage, and the two limits."""
    spent: dict[str, float] = defaultdict(float)

    def timed(stage: str, function: Callable[[], R]) -> R:
        began = time.thread_time()  # not of the process: a runtime's idle threads may wait by turning in circles
        result = function()
        spent[stage] += time.thread_time() - began
        return result

    views = []
    with tempfile.TemporaryDirectory() as out:
        for path in paths:
            decoded = timed("decode", lambda path=path: decode(path, segmenter.spec.size))
            frame = segmenter.spec.frame(decoded.height, decoded.width)
            view = timed("to the network's size", lambda d=decoded, f=frame: f.shrink(d.image))
            views.append(view)
            probability = segmenter.forward(view[None])[0]
            mask = timed("mask at the picture's size", lambda p=probability, f=frame: segmenter.mask(p, f))
            segmented = Segmented(path, frame, view, probability, None, None, 0.0)
            timed("review", lambda m=mask, s=segmented: review(m, s, segmenter.spec))
            timed("measures (with --csv, --jsonl)", lambda m=mask, v=view, f=frame: measure(m, v, f))
            timed("PNG, 1-bit", lambda m=mask: encode_mask(m, MaskForm.BITS1))
            content = timed("PNG, 8-bit", lambda m=mask: encode_mask(m))
            timed("write", lambda c=content: write_bytes(Path(out) / "mask.png", c))
    began = time.perf_counter()
    for _ in parallel_map(lambda path: decode(path, segmenter.spec.size), paths):
        pass
    decoding = len(paths) / (time.perf_counter() - began)
    began = time.perf_counter()
    for start in range(0, len(views), 8):
        segmenter.forward(np.stack(views[start : start + 8]))
    network = len(views) / (time.perf_counter() - began)
    spent["network, on all processors"] = available_cpus() * len(views) / network

    print(f"\nprocessor time per picture, {segmenter.backend}")
    for stage, seconds in spent.items():
        print(f"  {stage:32} {1e3 * seconds / len(paths):6.1f} ms")
    optional = ("measures (with --csv, --jsonl)", "PNG, 1-bit")
    needed = sum(seconds for stage, seconds in spent.items() if stage not in optional)
    print(f"  {'all that is needed':32} {1e3 * needed / len(paths):6.1f} ms")
    print(f"\nlimits on {available_cpus()} processors, pictures per second")
    print(f"  only decoding {decoding:.1f}, only the network {network:.1f}, ", end="")
    print(f"all stages spread over all cores {available_cpus() * len(paths) / needed:.1f}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--rival", help="a command with {images} and {out}")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--backends", default="auto")
    parser.add_argument("--mask-formats", default="8-bit")
    parser.add_argument("--model", default="lesion-s")
    given = parser.parse_args()
    os.environ.pop("LESIONCTL_PREDICT_BACKEND", None)
    race(given.images, given.turns, given.backends.split(","), given.mask_formats.split(","), given.rival)
    split(load_segmenter(given.model), list_images(given.images))


if __name__ == "__main__":
    main()
