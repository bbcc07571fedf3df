"""From the network's probabilities to a mask of the picture's own size and its file: time, memory, pixels that differ.

    python tests/benchmarks/mask_speed.py [FOLDER] [--model lesion-s] [--pictures 4] [--megapixels 0.4 3 7 12 50 100]

The probabilities are the model's, of pictures of FOLDER, or of drawn ones; each is brought to every size, three wide
and two high. Times are the processor's, not the clock's, so that what else runs counts little: the smallest of three,
averaged over the pictures. Memory is the most that the process grew by meanwhile, in bytes per pixel, what is returned
included; where the system tells it, and not of small pictures. Pixels that differ are those of the mask, per million,
from resizing floats and comparing them.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lesionctl.errors import Failure
from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import MaskForm, encode_mask, encode_probability
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.stream import segment_files

TELLING = 40e6  # pixels
POSTPROCESS = Postprocess(largest_region=True, fill_holes=True, smallest_area=0.001)


def resize_floats(probability, frame, threshold):
    return frame.restore(probability) > threshold


def resize_levels(dtype, probability, frame, threshold):
    """As whole numbers, placed so that the threshold lies half way between the middle two."""
    middle = np.iinfo(dtype).max / 2
    levels = np.rint((probability - threshold) * (middle / max(threshold, 1 - threshold)) + middle)
    size = (frame.width, frame.height)
    return cv2.resize(levels.astype(dtype), size, interpolation=cv2.INTER_LINEAR) > int(middle)


def resize_rows(probability, frame, threshold):
    """One row of floats at a time, from pictures of the network's height."""
    rows = len(probability)
    wide = cv2.resize(probability, (frame.width, rows), interpolation=cv2.INTER_LINEAR)
    mask = np.empty((frame.height, frame.width), bool)
    row = np.empty((1, frame.width), np.float32)
    for y in range(frame.height):
        place = min(max((y + 0.5) * rows / frame.height - 0.5, 0), rows - 1)
        upper = int(place)
        lower = min(upper + 1, rows - 1)
        cv2.addWeighted(wide[upper : upper + 1], 1 - place + upper, wide[lower : lower + 1], place - upper, 0, dst=row)
        np.greater(row[0], threshold, out=mask[y])
    return mask


MASKS = {
    "floats": resize_floats,
    "8-bit levels": lambda *given: resize_levels(np.uint8, *given),
    "16-bit levels": lambda *given: resize_levels(np.uint16, *given),
    "floats row by row": resize_rows,
    "Frame.restore_mask": lambda probability, frame, threshold: frame.restore_mask(probability, threshold),
}


def encode(pixels, *settings):
    return cv2.imencode(".png", pixels, settings)[1].tobytes()


def one_bit_by_opencv(mask):
    fast = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
    return encode(mask.view(np.uint8), cv2.IMWRITE_PNG_BILEVEL, 1, *fast)


FILES = {
    "8-bit by OpenCV's defaults": lambda mask: encode(mask.view(np.uint8) * np.uint8(255)),
    "8-bit, encode_mask": encode_mask,
    "1-bit by OpenCV": one_bit_by_opencv,
    "1-bit, encode_mask": lambda mask: encode_mask(mask, MaskForm.BITS1),
}


def peak():
    """Most memory that this process has held since `forget_peak`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak():
    ctypes.CDLL(None).malloc_trim(0)  # torch has the process keep what it frees
    Path("/proc/self/clear_refs").write_text("5")


def measure(work, *given):
    """What the work returns, its seconds and, on Linux, the bytes that it took."""
    if Path("/proc/self/clear_refs").exists():
        forget_peak()
        before = peak()
        result = work(*given)
        held = peak() - before
    else:
        result, held = work(*given), None
    seconds = []
    for _ in range(3):
        began = time.thread_time()
        work(*given)
        seconds.append(time.thread_time() - began)
    return result, min(seconds), held


def show(name, pixels, seconds, held, remark):
    memory = "" if held is None or pixels < TELLING else f"{held / pixels:5.2f} bytes per pixel   "
    print(f"  {name:28} {seconds * 1e3:8.2f} ms   {memory}{remark}", flush=True)


def compare(predictions, threshold, height, width):
    pixels, count = height * width, len(predictions)
    frame = Frame.fit(height, width, predictions[0].shape[0], ResizeRule.SQUASH)
    print(f"{width} x {height}, {pixels / 1e6:.1f} megapixels")
    expected = [np.packbits(resize_floats(probability, frame, threshold), axis=1) for probability in predictions]
    for name, make in MASKS.items():
        seconds, held, different = 0.0, None, 0
        for probability, packed in zip(predictions, expected, strict=True):
            mask, took, grew = measure(make, probability, frame, threshold)
            seconds += took / count
            held = grew if held is None else max(held, grew)
            different += int(np.count_nonzero(np.unpackbits(packed, axis=1, count=width) != mask.view(np.uint8)))
        show(name, pixels, seconds, held, f"{different / count / pixels * 1e6:.2f} pixels in a million differ")
    mask = frame.restore_mask(predictions[0], threshold)
    show("post-processing", pixels, *measure(POSTPROCESS.apply, mask)[1:], POSTPROCESS.describe())
    for name, write in FILES.items():
        content, seconds, held = measure(write, mask)
        show(name, pixels, seconds, held, f"{len(content) / 1024:.1f} KiB")
    content, seconds, held = measure(encode_probability, predictions[0], frame)
    show("16-bit probabilities", pixels, seconds, held, f"{len(content) / 1024:.1f} KiB")


def predict(folder, model, count):
    """The first few pictures' probabilities, and the model's threshold."""
    segmenter = load_segmenter([model], device="cpu")
    paths = sorted(folder.iterdir())[:count]
    outcomes = [outcome for outcome in segment_files(segmenter, paths) if not isinstance(outcome, Failure)]
    return [outcome.probability for outcome in outcomes], segmenter.spec.threshold


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="lesion-s")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.4, 3, 7, 12, 50, 100])
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder
        if folder is None:
            folder = Path(scratch) / "demo" / "images"
            draw_demo(folder.parent, count=given.pictures)
        predictions, threshold = predict(folder, given.model, given.pictures)
    for megapixels in given.megapixels:
        height = round(math.sqrt(megapixels * 1e6 / 1.5))
        compare(predictions, threshold, height, round(megapixels * 1e6 / height))


if __name__ == "__main__":
    main()
