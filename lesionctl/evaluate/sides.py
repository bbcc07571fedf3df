"""What is scored: a model, or a folder of masks that any program made. Both answer for pictures one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lesionctl.errors import BadFile, Failure
from lesionctl.evaluate.cases import masks_by_id
from lesionctl.evaluate.evaluation import ModelFacts
from lesionctl.evaluate.metadata import spell_id
from lesionctl.imaging.masks import examine_mask
from lesionctl.runtime.stream import segment_files_with_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lesionctl.evaluate.cases import Case
    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.runtime.segmenter import Segmenter
    from lesionctl.runtime.stream import Segmented


class Answer(NamedTuple):
    """What a side says of one picture.

    Attributes:
        path: The file that says it: a mask, or the picture that a model was shown.
        mask: bool `[H, W]` of the picture's own size.
        probability: float32 `[H, W]` in [0, 1], where the side is a model.
        remark: What a person should know of the file.
    """

    path: Path
    mask: Mask
    probability: Probability | None = None
    remark: str | None = None


Ask: TypeAlias = Callable[[], Answer]
"""Gives the answer for one picture, in whatever thread it is called; raises `BadFile` where there is none."""


@dataclass
class ModelSide:
    """A model, or several that answer together.

    Attributes:
        name: What people are told it is.
        segmenter: Runs it.
        files: Its files.
    """

    name: str
    segmenter: Segmenter
    files: Sequence[Path]

    @cached_property
    def model(self) -> ModelFacts:
        """What is known of it."""
        runs = self.segmenter
        return ModelFacts(runs.spec, runs.parameters, runs.backend, tuple(self.files))

    def answer(self, outcome: Segmented | Failure) -> Answer:
        """What the model says of a picture that went through its network.

        Raises:
            BadFile: The picture could not be read.
        """
        if isinstance(outcome, Failure):
            raise BadFile(outcome.path, outcome.reason)
        mask = self.segmenter.mask(outcome.probability, outcome.frame)
        return Answer(outcome.path, mask, outcome.frame.restore(outcome.probability))


class FolderSide:
    """A folder of masks that some program made.

    Args:
        folder: The masks; `X_segmentation.png`, `X_mask.png` and `X.png` all belong to the id X.

    Attributes:
        name: What people are told it is.
        masks: Its files by the ids of their pictures, see `masks_by_id`.
        model: None: the masks are made already.

    Raises:
        UsageError: The folder is missing or empty, or two of its files have the same id.
    """

    model = None

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self.masks = masks_by_id(folder)

    def answer(self, case: Case) -> Answer:
        """The mask of a picture.

        Raises:
            BadFile: There is none, or it cannot be read.
        """
        path = self.masks.get(spell_id(case.id))
        if path is None:
            raise BadFile(case.truth, f"{self.name} has no prediction for it")
        mask, remark = examine_mask(path)
        return Answer(path, mask, remark=remark)


Side: TypeAlias = ModelSide | FolderSide
"""Something that is scored."""


def ask_each(sides: Sequence[Side], cases: Sequence[Case]) -> Iterator[tuple[Ask, ...]]:
    """For each picture, in order and lazily, how to get the answer of each side: of one, `ask_each([side], cases)`.

    The networks run here, in the thread of whoever reads this; masks are read and made where the answer is asked for.
    """
    models = [side for side in sides if isinstance(side, ModelSide)]
    images = (case.image for case in cases if case.image is not None)
    segmented = segment_files_with_each([side.segmenter for side in models], images) if models else None
    for case in cases:
        outcomes = iter(next(segmented) if segmented else ())
        yield tuple(
            partial(side.answer, next(outcomes)) if isinstance(side, ModelSide) else partial(side.answer, case)
            for side in sides
        )
