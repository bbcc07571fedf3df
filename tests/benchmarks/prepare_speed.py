"""How fast `prepare` is beside the loop that people write, where its time goes, and how much memory it takes.

    python tests/benchmarks/prepare_speed.py FOLDER [--size 320] [--repeats 5]
    python tests/benchmarks/prepare_speed.py --memory 600 6000

FOLDER holds images/ and masks/. The loop decodes every picture and mask whole with Pillow, resizes both and saves both
as PNG, in one process and in as many as `prepare` has threads. `prepare` does its whole work, audit and search for
near-duplicates included. Each repetition runs all of them in turn; ratios are medians of the repetitions.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow

from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.pairs import pair_folders
from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.appearance import describe_colours
from lesionctl.imaging.decode import decode_bytes
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import decode_mask
from lesionctl.imaging.opening import read_file
from lesionctl.imaging.perceptual_hash import perceptual_hash
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.audit import count_parts, touched_borders
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.runtime.threads import available_cpus


def loop_of_one(paths, size, out):
    """What a resize script does with one pair."""
    for path, mode in zip(paths, (Pillow.Resampling.BILINEAR, Pillow.Resampling.NEAREST), strict=True):
        picture = Pillow.open(path)
        picture = picture.convert("RGB" if mode is Pillow.Resampling.BILINEAR else "L")
        picture.resize((size, size), mode).save(out / f"{path.stem}.png")


def time_of(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(folder, size, repeats):
    pairs = [(pair.image, pair.mask) for pair in pair_folders(folder / "images", folder / "masks").pairs]
    processes = available_cpus()
    seconds = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(processes) as pool:
        out = Path(scratch)
        loop = partial(loop_of_one, size=size, out=out)
        list(pool.map(loop, pairs))  # reads every file once: nobody is the first
        for repeat in range(repeats):
            seconds["loop, 1 process"].append(time_of(lambda: [loop(pair) for pair in pairs]))
            seconds[f"loop, {processes} processes"].append(time_of(lambda: list(pool.map(loop, pairs))))
            store, options = out / f"store{repeat}", PrepareOptions(size=size)
            seconds["prepare"].append(
                time_of(lambda store=store, options=options: prepare([FolderSource.at(folder)], store, options))
            )
    print(f"{len(pairs)} pairs of {folder}, {size} px, {processes} processors, median of {repeats}")
    for name, times in seconds.items():
        ratio = statistics.median(other / own for other, own in zip(times, seconds["prepare"], strict=True))
        print(f"  {name:20} {len(pairs) / statistics.median(times):7.1f} pairs/s   {ratio:5.2f} times prepare's time")


def stages(folder, size):
    """Where the time of one thread goes."""
    seconds = defaultdict(float)

    def timed(name, work, *arguments, **options):
        began = time.perf_counter()
        result = work(*arguments, **options)
        seconds[name] += time.perf_counter() - began
        return result

    pairs = pair_folders(folder / "images", folder / "masks").pairs
    for pair in pairs:
        content = timed("read both files", read_file, pair.image)
        mask_content = timed("read both files", read_file, pair.mask)
        decoded = timed("decode the picture", decode_bytes, content, pair.image, at_least=size)
        mask = timed("decode the mask", decode_mask, mask_content, pair.mask, strict=True)
        frame = Frame.fit(decoded.height, decoded.width, size, ResizeRule.SQUASH)
        image = timed("shrink the picture", frame.shrink, decoded.image)
        small = timed("shrink the mask", frame.shrink_mask, mask)
        timed("count parts and holes", count_parts, mask)
        timed("look at the borders", touched_borders, mask)
        timed("pack the mask", pack, mask)
        timed("hash both files", hashlib.sha256, content)
        timed("hash both files", hashlib.sha256, mask_content)
        timed("measure colours", describe_colours, image, small)
        timed("perceptual hash", perceptual_hash, image)
    total = sum(seconds.values())
    print(f"one thread, ms per pair ({total / len(pairs) * 1000:.1f} in all)")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:24} {value / len(pairs) * 1000:7.2f}   {value / total:5.1%}")


def memory(counts):
    """Peak memory of a whole `lesionctl prepare` by the number of pictures: shifted copies of 24 drawn ones."""
    with tempfile.TemporaryDirectory() as scratch:
        demo = draw_demo(Path(scratch) / "demo").directory
        pictures = [cv2.imread(str(path)) for path in sorted((demo / "images").iterdir())]
        random = np.random.default_rng(0)
        for count in counts:
            folder = Path(scratch) / str(count)
            (folder / "images").mkdir(parents=True)
            (folder / "masks").mkdir()
            for number in range(count):
                image = np.roll(pictures[number % len(pictures)], random.integers(0, 200, 2), (0, 1))
                cv2.imwrite(str(folder / "images" / f"{number:06}.jpg"), image)
                mask = np.zeros(image.shape[:2], np.uint8)
                cv2.circle(mask, (300, 200), int(random.integers(30, 150)), 255, -1)
                cv2.imwrite(str(folder / "masks" / f"{number:06}.png"), mask)
            command = [sys.executable, "-m", "lesionctl", "-q", "prepare", folder, "--out", folder / "store"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest child so far
            print(f"{count} pictures: {peak:.0f} MB at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="+", metavar="COUNT")
    arguments = parser.parse_args()
    if arguments.folder:
        compare(arguments.folder, arguments.size, arguments.repeats)
        stages(arguments.folder, arguments.size)
    if arguments.memory:
        memory(sorted(arguments.memory))
