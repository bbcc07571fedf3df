"""How fast `lesionctl predict` turns a folder of pictures into masks, beside another program, and where the time goes.

    python tests/benchmarks/predict_speed.py FOLDER [--rival "python their_script.py {images} {out}"] [--turns 3]

Whole processes, start-up included on both sides, in turn, each into an empty folder; the median of the turns. Then, in
one process and on the same pictures, what `bench` says of the stages of a picture: processor time of each, and how long
all pictures take when they are only decoded, and only sent through the network, on all processors: no pipeline can be
faster than the slower of the two, nor, where the processor does both, than the sum of all stages spread over its cores.
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
from pathlib import Path
from statistics import median

import numpy as np

from lesionctl.bench.stages import split_stages
from lesionctl.dataset.pairs import list_images
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.threads import available_cpus


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


def split(segmenter: Segmenter, paths: list[Path], form: MaskForm) -> None:
    """Print processor time of each stage, and the limits."""
    stages = split_stages(segmenter, paths, form)
    print(f"\nprocessor time per picture, {stages.backend}, {form} masks")
    for stage, seconds in stages.seconds.items():
        print(f"  {stage:12} {1e3 * seconds:6.1f} ms")
    print(f"  {'all':12} {1e3 * sum(stages.seconds.values()):6.1f} ms")
    for other, seconds in stages.encoding.items():
        if other is not form:
            print(f"  {'encode':12} {1e3 * seconds:6.1f} ms as {other}, not counted")
    print(f"\nlimits on {stages.processors} processors, pictures per second")
    print(f"  only decoding {stages.decoding:.1f}, only the network {stages.network:.1f}, ", end="")
    print(f"all stages spread over all cores {stages.spread:.1f}")


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
    split(load_segmenter(given.model), list_images(given.images), MaskForm(given.mask_formats.split(",")[0]))


if __name__ == "__main__":
    main()
