"""What a view costs: milliseconds of one processor for each recipe, and for each step of it.

    python tests/benchmarks/augment_speed.py [--recipe NAME|FILE.toml]... [--store-size 288] [--size 256] [--views 300]

On drawn pictures. For each step: its cost when it happens, its share of the views, and the product. Times are the
processor's, not the clock's, so that what else runs counts little; each is the smallest of three.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import replace

import cv2
import numpy as np

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.train.augment.augmentation import Augmentation
from lesionctl.train.augment.recipe import BUILT_IN, read_recipe
from lesionctl.train.augment.steps import SIZING
from lesionctl.train.augment.transforms import make_transform


def draw_pairs(count, size):
    """Pictures and masks of the demo set as squares."""
    for number in range(count):
        image, mask = paint_scene(0, plan_scene(0, number))
        square = cv2.resize(mask.view("u1"), (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
        yield cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), square


def milliseconds(work, pairs, views):
    """Per call of `work(image, mask, number)`."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        for number in range(views):
            work(*pairs[number % len(pairs)], number)
        times.append(time.thread_time() - began)
    return min(times) / views * 1e3


def cost_of(step, size, pairs, views):
    """Of one step when it happens, on pictures of the size that it gets in a recipe."""
    if step.name not in SIZING:
        pairs = [(cv2.resize(image, (size, size)), cv2.resize(mask, (size, size))) for image, mask in pairs]
    transform = make_transform(replace(step, p=1.0), size)
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    return milliseconds(lambda image, mask, _: transform(image=image, mask=mask), pairs, views)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", action="append", default=[])
    parser.add_argument("--store-size", type=int, default=288)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", type=int, default=300)
    given = parser.parse_args()
    cv2.setNumThreads(0)
    pairs = list(draw_pairs(24, given.store_size))
    for name in given.recipe or BUILT_IN:
        recipe = read_recipe(name)
        augment = Augmentation(given.size, recipe)
        view = milliseconds(lambda image, mask, seed: augment(image, mask.view(bool), seed), pairs, given.views)  # noqa: B023
        print(f"{name}: {view:.2f} ms per view")
        for step in recipe.steps:
            cost = cost_of(step, given.size, pairs, given.views // 3)
            print(f"  {step.name:20} {cost:6.3f} ms x {step.p:4.2f} = {cost * step.p:6.3f} ms")


if __name__ == "__main__":
    main()
