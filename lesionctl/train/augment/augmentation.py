"""A recipe at work: random views of a picture and its mask, decided by a seed alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.train.augment.recipe import Recipe, Step
from lesionctl.train.augment.steps import SIZING, STEPS
from lesionctl.train.augment.transforms import A, make_transform

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask


class Augmentation:
    """A seeded random view of a picture and its mask. Threads need one each.

    Args:
        size: Side of the square that comes out, in pixels.
        recipe: What is varied. Where nothing in it brings a picture to that size, it is resized first.
    """

    def __init__(self, size: int, recipe: Recipe) -> None:
        transforms = [make_transform(step, size) for step in _with_resize(recipe.steps)]
        self._compose = A.Compose(transforms, is_check_shapes=False)

    def __call__(self, image: Image, mask: Mask, seed: int) -> tuple[Image, Mask]:
        """Draw a view.

        Args:
            image: uint8 `[S, S, 3]`.
            mask: bool `[S, S]`.
            seed: Same seed, same view.

        Returns:
            uint8 `[size, size, 3]` and bool `[size, size]`; neither changes the picture that was given.
        """
        # One stream of numbers for all transforms: a seed given to each would make them all come or stay away together.
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        view: dict[str, Any] = self._compose(image=image, mask=mask.view("uint8"))
        return view["image"], view["mask"].view(bool)


def _with_resize(steps: tuple[Step, ...]) -> list[Step]:
    """The steps, and a plain resize where a view might otherwise keep the size of its picture."""
    resize = Step("resize", parameters=tuple((key, known.default) for key, known in STEPS["resize"].items()))
    for place, step in enumerate(steps):
        if step.name in SIZING:
            return [*steps] if step.p == 1 else [*steps[: place + 1], resize, *steps[place + 1 :]]
    return [resize, *steps]
