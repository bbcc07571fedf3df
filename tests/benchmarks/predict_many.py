"""Whether `lesionctl predict` stays as fast, and as small, however many pictures there are.

    python tests/benchmarks/predict_many.py [--count 20000] [--drawn 400] [--options "--csv rows.csv"]

COUNT small pictures: DRAWN different ones, drawn and shrunk, each copied under as many names as it takes. One process
makes their masks; after each tenth of them, its speed and its memory at that time are printed. Then the same command
once more, which finds everything done.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from lesionctl.dataset.pairs import list_images
from lesionctl.fetch.demo import draw_demo

SIDE = 256  # pixels, of the longer side


def draw(folder: Path, count: int, drawn: int) -> None:
    """Fill a folder with small pictures."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        contents = []
        for path in list_images(draw_demo(Path(scratch) / "demo", count=drawn).directory / "images"):
            image = cv2.imread(str(path))
            scale = SIDE / max(image.shape[:2])
            contents.append(cv2.imencode(".jpg", cv2.resize(image, None, fx=scale, fy=scale))[1].tobytes())
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(contents[number % drawn])


def memory_mb(process: int) -> float:
    """Resident memory of a process at this moment, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024 / 1e6


def main() -> None:
    """Run it twice and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--drawn", type=int, default=400)
    parser.add_argument(
        "--options", default="", help="more options of predict; files of theirs go into a scratch folder"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        draw(Path(scratch) / "pictures", given.count, given.drawn)
        words = ["-q", "predict", "pictures", "--out", "masks", *shlex.split(given.options)]
        command = [sys.executable, "-m", "lesionctl", *words]
        for run in ("first run", "once more"):
            began = last = time.perf_counter()
            with subprocess.Popen(command, cwd=scratch, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                print(run)
                for done, _ in enumerate(process.stdout, 1):
                    if done % (given.count // 10) == 0:
                        now = time.perf_counter()
                        speed = given.count / 10 / (now - last)
                        print(
                            f"  {done:7,} masks, {speed:7.1f} per second, {memory_mb(process.pid):5.0f} MB", flush=True
                        )
                        last = now
            print(f"  {time.perf_counter() - began:.1f} s in all, exit code {process.returncode}")
        made = sum(entry.name.endswith(".png") for entry in os.scandir(Path(scratch) / "masks"))
        print(f"{made:,} masks of {given.count:,} pictures")


if __name__ == "__main__":
    main()
