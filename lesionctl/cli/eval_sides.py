"""What `eval` was asked to score: which words are models and which are folders of masks, and what each is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.errors import UsageError
from lesionctl.runtime.load import find_models

if TYPE_CHECKING:
    from lesionctl.evaluate.sides import Side
    from lesionctl.runtime.precision import Precision

_MODEL_SUFFIXES = (".safetensors", ".onnx")


class Wanted(NamedTuple):
    """A side that was asked for.

    Attributes:
        name: What people are told it is.
        models: What was typed of the models that answer together; empty for a folder.
        folder: The folder of masks; None for models.
    """

    name: str
    models: tuple[str, ...]
    folder: Path | None

    def open(self, device: str, precision: Precision) -> Side:
        """The side itself; of models, they are loaded."""
        from lesionctl.evaluate.sides import FolderSide, ModelSide
        from lesionctl.runtime.load import load_segmenter

        if self.folder is None:
            return ModelSide(self.name, load_segmenter(self.models, device, precision), find_models(self.models))
        side = FolderSide(self.folder)
        side.name = self.name
        return side


def read_sides(first: Sequence[str], against: Sequence[str], *, first_is_folder: bool) -> list[Wanted]:
    """Tell models from folders of masks, and name them all.

    Args:
        first: What is asked about: models that answer together, or one folder.
        against: What it is compared with, each a model or a folder.
        first_is_folder: Whether `first` is a folder.

    Raises:
        UsageError: A word is neither.
    """
    typed = [tuple(first), *((word,) for word in against)]
    folders = [first_is_folder, *(_is_folder_of_masks(word) for word in against)]
    if not first_is_folder:
        find_models(first)  # a wrong name is told before anything is read or loaded
    return [
        Wanted(name, () if is_folder else words, Path(words[0]) if is_folder else None)
        for name, words, is_folder in zip(name_sides(typed), typed, folders, strict=True)
    ]


def name_sides(typed: Sequence[Sequence[str]]) -> list[str]:
    """A name for each side, no two the same.

    Args:
        typed: For each side, the models or the one folder that were typed.

    Returns:
        Of `runs/a` and `m.safetensors` that is `a` and `m`, and several models of a side are joined. Where two
        different paths end alike, both stand as they were typed; where two sides are still the same, they are numbered.
    """
    shorts = {word: _short(word) for words in typed for word in words}
    times = Counter(shorts.values())
    names = [" + ".join(shorts[word] if times[shorts[word]] == 1 else word for word in words) for words in typed]
    same, met = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        met[name] += 1
        numbered.append(f"{name} ({met[name]})" if same[name] > 1 else name)
    return numbered


def _short(word: str) -> str:
    path = Path(word)
    return (path.stem if path.suffix in _MODEL_SUFFIXES else path.name) or word


def _is_folder_of_masks(word: str) -> bool:
    """Whether this is a folder of masks; otherwise it is a model: a run directory holds pictures too."""
    try:
        find_models([word])
    except UsageError as error:
        from lesionctl.dataset.pairs import list_images

        path = Path(word)
        if not path.is_dir():
            raise UsageError(f"there is no model and no folder '{word}'", error.hint) from error
        if list_images(path):
            return True
        if any(path.glob("fold-*")):
            raise
        raise UsageError(
            f"{path} holds neither a model nor masks", hint="name a run directory, or the folder that the masks are in"
        ) from error
    return False
