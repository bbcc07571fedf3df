"""How fast `lesionctl eval --pred --truth` is beside the loops that people write, and how much memory it takes.

    python tests/benchmarks/score_speed.py [--pairs 12] [--turns 3] [--megapixels 7.1]
    python tests/benchmarks/score_speed.py --memory 100 1000

On drawn masks that Pillow wrote as 8-bit PNGs: blobs with a ragged outline, the predictions shifted and grown. Both
loops open each mask with Pillow, take what is above 128 and ask scikit-learn: one for the confusion matrix and six
scores, each of which counts the pixels anew; the other for the confusion matrix alone, and works the scores out of it.
lesionctl does all that it does for any folder: every overlap and boundary figure, facts of each picture, intervals.

Each turn runs all of them, each in a process of its own, from its start to its end; times are medians of the turns,
ratios medians of the turns' ratios. The start is what the same command takes for one pair of 32 × 32 pixels. Memory is
the highest of the process in any turn. All must count the same pixels. `--memory` takes a number of pairs, hard links
to the drawn ones, and runs lesionctl alone. `--megapixels` is of each mask, four wide and three high.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

# What draws or scores is imported where it is used: the peak memory of a process begins with that of its parent.

TRUTHS, PREDICTIONS = "truth", "pred"

Confusion = dict[str, int]


class Run(NamedTuple):
    """A finished process: its wall-clock time, its peak memory, and the pixels that it counted."""

    seconds: float
    megabytes: float
    confusion: Confusion


def draw(folder: Path, pairs: int, height: int, width: int) -> None:
    """Write pairs of masks."""
    import cv2
    import numpy as np
    from PIL import Image as Pillow

    random = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)

    def waves(rows: int, smoothness: int):
        field = random.normal(size=(rows, rows * 4 // 3)).astype(np.float32)
        return cv2.resize(field, (width, height), interpolation=smoothness)

    for number in range(pairs):
        across, down = random.uniform(0.3, 0.7, 2)
        field = (x / across) ** 2 + (y / down) ** 2 - 1
        field += 0.25 * waves(8, cv2.INTER_CUBIC) + 0.03 * waves(max(1, height // 8), cv2.INTER_LINEAR)
        truth = (field < 0).astype(np.uint8) * 255
        shift = np.float32([[1, 0, width * random.normal() / 100], [0, 1, height * random.normal() / 100]])
        grown = cv2.dilate(truth, np.ones((height // 150 + 1,) * 2, np.uint8))
        for kind, mask in ((TRUTHS, truth), (PREDICTIONS, cv2.warpAffine(grown, shift, (width, height), flags=0))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(mask).save(folder / kind / f"{number:06}.png")


def score_with_scikit_learn(folder: Path, *, from_one_matrix: bool) -> Confusion:
    """Score the masks as a script does."""
    import numpy as np
    from PIL import Image as Pillow
    from sklearn import metrics

    scores, matrices = [], []
    for path in sorted((folder / TRUTHS).iterdir()):
        truth = (np.asarray(Pillow.open(path)) > 128).ravel()
        prediction = (np.asarray(Pillow.open(folder / PREDICTIONS / path.name)) > 128).ravel()
        matrix = metrics.confusion_matrix(truth, prediction)
        matrices.append(matrix)
        if from_one_matrix:
            (tn, fp), (fn, tp) = matrix.tolist()
            precision, recall, specificity = tp / (tp + fp), tp / (tp + fn), tn / (tn + fp)
            f1, jaccard = 2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)
            scores.append([(tp + tn) / truth.size, (recall + specificity) / 2, precision, recall, f1, jaccard])
        else:
            asked = (
                metrics.accuracy_score,
                metrics.balanced_accuracy_score,
                metrics.precision_score,
                metrics.recall_score,
                metrics.f1_score,
                metrics.jaccard_score,
            )
            scores.append([score(truth, prediction) for score in asked])
    np.mean(scores, axis=0)
    (tn, fp), (fn, tp) = np.sum(matrices, axis=0).tolist()
    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn}


def lesionctl(folder: Path) -> list[str]:
    """The command that scores the masks in a folder."""
    command = [sys.executable, "-m", "lesionctl", "-q", "eval", "--json"]
    return [*command, "--pred", str(folder / PREDICTIONS), "--truth", str(folder / TRUTHS)]


def this_script(part: str, folder: Path, *numbers: int) -> list[str]:
    """The command that does a part of this script."""
    return [sys.executable, __file__, "--part", part, str(folder), *map(str, numbers)]


def run(command: list[str]) -> Run:
    """Run a command that prints its result as JSON."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)  # the memory of this child, not the largest of all so far
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
        output.seek(0)
        result = json.load(output)
    confusion = result["evaluations"][0]["confusion_pixels"] if "evaluations" in result else result
    return Run(seconds, usage.ru_maxrss / 1024, confusion)


def draw_into(folder: Path, pairs: int, megapixels: float) -> Path:
    """Draw masks of four by three, in a process of its own."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    subprocess.run(this_script("draw", folder, pairs, height, round(height * 4 / 3)), check=True)
    return folder


def compare(scratch: Path, pairs: int, turns: int, megapixels: float) -> None:
    """Print the time and memory of each way."""
    ways = {
        "scikit-learn, seven calls": lambda folder: this_script("seven", folder),
        "scikit-learn, one matrix": lambda folder: this_script("one", folder),
        "lesionctl eval": lesionctl,
    }
    masks, tiny = draw_into(scratch / "masks", pairs, megapixels), draw_into(scratch / "tiny", 1, 0.001)
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    starts: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            starts[name].append(run(way(tiny)))
            runs[name].append(run(way(masks)))
    for results in (runs, starts):
        if len({tuple(sorted(result.confusion.items())) for name in ways for result in results[name]}) != 1:
            raise SystemExit("the ways count different pixels")
    from lesionctl.runtime.threads import available_cpus

    print(f"{pairs} pairs of {megapixels:g} megapixels, {turns} turns")
    print(f"{'':26}{'threads':>8}{'seconds':>9}{'its start':>11}{'ms per pair':>13}{'ratio':>8}{'memory':>10}")
    own = [result.seconds for result in runs["lesionctl eval"]]
    for name, results in runs.items():
        seconds = [result.seconds for result in results]
        median, start = statistics.median(seconds), statistics.median(result.seconds for result in starts[name])
        threads = available_cpus() if name == "lesionctl eval" else 1
        ratio = statistics.median(other / one for other, one in zip(seconds, own, strict=True))
        memory = max(result.megabytes for result in results)
        per_pair = median / pairs * 1000
        print(f"{name:26}{threads:8}{median:9.2f}{start:11.2f}{per_pair:13.0f}{ratio:8.2f}{memory:7.0f} MB")


def memory(scratch: Path, counts: list[int], pairs: int, megapixels: float) -> None:
    """Print the time and memory of lesionctl by the number of pairs."""
    drawn = draw_into(scratch / "masks", pairs, megapixels)
    for count in counts:
        folder = scratch / str(count)
        for kind in (TRUTHS, PREDICTIONS):
            (folder / kind).mkdir(parents=True)
            for number, path in zip(range(count), itertools.cycle(sorted((drawn / kind).iterdir()))):
                (folder / kind / f"case{number:06}.png").hardlink_to(path)
        result = run(lesionctl(folder))
        each = result.seconds / count * 1000
        print(f"{count} pairs of {megapixels:g} megapixels: {result.megabytes:.0f} MB at most, {each:.0f} ms per pair")


def main() -> None:
    """Parse what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12, help="pairs of masks that are drawn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=7.1)
    parser.add_argument("--memory", type=int, nargs="+", metavar="COUNT")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        part, folder, *numbers = given.part
        if part == "draw":
            draw(Path(folder), *map(int, numbers))
        else:
            print(json.dumps(score_with_scikit_learn(Path(folder), from_one_matrix=part == "one")))
        return
    with tempfile.TemporaryDirectory() as scratch:
        if given.memory:
            memory(Path(scratch), given.memory, given.pairs, given.megapixels)
        else:
            compare(Path(scratch), given.pairs, given.turns, given.megapixels)


if __name__ == "__main__":
    main()
