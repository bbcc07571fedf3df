"""What fine-tuning on few pictures of one's own gives: Dice by how many were shown.

    python tests/benchmarks/few_pictures.py STORE [--model lesion-s] [--look negative] [--counts 10,20,50] [--most 300]

The pictures are those of a source in the store's test split, which the model has not learned from, shown as they are
or as a device would take them that the model has never met: `veil` (dark, blue-green and hazy) or `negative`. From
one shuffled order the first ones are the person's own, four in five of them to train on and the others to validate;
the last are the test, the same for every count, and never among them. Each count is one `lesionctl train --auto` from
the model, then `lesionctl eval` of model and result on the test. `--from-imagenet ENCODER` trains a U-Net over that
encoder on the same pictures beside it. What was made stays in `--work`, and the same command goes on there.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.imaging.decode import decode

LOOKS = {
    "as they are": lambda picture: picture,
    "veil": lambda picture: 0.22 + 0.6 * picture**1.5 * np.array([0.62, 0.85, 1.0]),
    "negative": lambda picture: 1 - picture,
}


def lesionctl(*words: str | Path) -> str:
    """Run the program; what it prints."""
    command = [sys.executable, "-m", "lesionctl", "--quiet", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def show_to(device: str, samples: list, folder: Path) -> None:
    """Write the pictures as that device takes them, and the paths of their masks, as a table for `prepare`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "all.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "mask", "id", "group"])
        for sample in samples:
            path = folder / f"{sample.id}.png"
            if not path.exists():
                picture = LOOKS[device](decode(sample.image).image / 255.0)
                Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8)).save(path)
            table.writerow([path.resolve(), sample.mask, sample.id, sample.group])


def deal(folder: Path, count: int, tested: int, store: Path, size: int) -> None:
    """Make the store of the first `count` pictures to learn from and the last `tested` to be tested on."""
    with (folder / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    validated = max(2, count // 5)
    splits = [Split.TRAIN] * (count - validated) + [Split.VALIDATION] * validated
    chosen = [*zip(rows[:count], splits, strict=True), *((row, Split.TEST) for row in rows[-tested:])]
    part = folder / f"{count}.csv"
    with part.open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0], "split"])
        table.writeheader()
        table.writerows({**row, "split": str(split)} for row, split in chosen)
    lesionctl("prepare", part, "--out", store, "--size", str(size), "--overlap", "test")


def figures(models: list[str | Path], store: Path) -> list[tuple[float, float]]:
    """Dice and Jaccard of each model on the store's test split, mean per picture."""
    others = [word for model in models[1:] for word in ("--against", model)]
    result = json.loads(lesionctl("eval", models[0], store, *others, "--seen", "mark", "--json"))
    means = [evaluation["per_image"] for evaluation in result["evaluations"]]
    return [(mean["dice"]["mean"], mean["jaccard"]["mean"]) for mean in means]


def main() -> None:
    """Parse what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where pictures, stores and runs go")
    parser.add_argument("--model", default="lesion-s")
    parser.add_argument("--source", help="take the test pictures of this source; all by default")
    parser.add_argument("--look", choices=LOOKS, default="negative")
    parser.add_argument("--counts", default="10,20,50")
    parser.add_argument("--most", type=int, default=300, help="pictures in all")
    parser.add_argument("--from-imagenet", metavar="ENCODER", help="train from this encoder's weights too")
    given = parser.parse_args()
    counts = [int(count) for count in given.counts.split(",")]

    store = open_store(given.store)
    samples = [store.samples[row] for row in store.rows(Split.TEST)]
    samples = [sample for sample in samples if given.source in (None, sample.source)]
    groups = sorted({sample.group for sample in samples})  # one picture of each: none is on both sides
    np.random.default_rng(0).shuffle(groups)
    one_of = {sample.group: sample for sample in samples}
    samples = [one_of[group] for group in groups[: given.most]]
    tested = len(samples) - max(counts)
    folder = given.work / given.look.replace(" ", "-")
    show_to(given.look, samples, folder)

    print(f"{given.look}: {tested} pictures to test on, mean per picture at their own size")
    print(f"{'own pictures':>14}{'model':>24}{'Dice':>8}{'Jaccard':>9}", flush=True)
    for count in counts:
        few = folder / f"{count}.store"
        deal(folder, count, tested, few, store.info.size)
        runs = {f"from {given.model}": ["--init", given.model]}
        if given.from_imagenet:
            runs[f"from {given.from_imagenet}"] = ["--encoder", given.from_imagenet]
        for name, start in runs.items():
            run = folder / f"{count} {Path(name).name}".replace(" ", "-")
            lesionctl("train", few, "--out", run, "--auto", *start)
            found = figures([run, given.model] if count == counts[0] and start[0] == "--init" else [run], few)
            if len(found) > 1:
                print(f"{0:14}{given.model:>24}{found[1][0]:8.3f}{found[1][1]:9.3f}", flush=True)
            print(f"{count:14}{name:>24}{found[0][0]:8.3f}{found[0][1]:9.3f}", flush=True)


if __name__ == "__main__":
    main()
