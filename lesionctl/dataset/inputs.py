"""What a person names on the command line: files, folders, patterns."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import NamedTuple

from lesionctl.dataset.pairs import list_images
from lesionctl.errors import UsageError
from lesionctl.imaging.masks import MASK_SUFFIX
from lesionctl.imaging.overlay import OVERLAY_SUFFIX

# What a prediction wrote into the folder of its pictures is no picture of the next one.
_OWN_OUTPUT = (MASK_SUFFIX, OVERLAY_SUFFIX)


class Input(NamedTuple):
    """A picture file, and its place within the folder that was named: a bare name, or a path with subfolders."""

    path: Path
    place: Path


def find_inputs(names: list[str], *, recursive: bool = False) -> list[Input]:
    """Find the pictures.

    Args:
        names: Files, folders, and patterns that the shell did not expand. A file is taken whatever its suffix; of a
            folder, all pictures but the masks and overlays that this program wrote.
        recursive: Look into the subfolders of folders too.

    Returns:
        In the order of the names, each picture once.

    Raises:
        UsageError: A name stands for nothing, or a folder holds no picture.
    """
    found: dict[Path, Input] = {}
    for name in names:
        for item in _expand(name, recursive):
            found.setdefault(item.path.resolve(), item)
    return list(found.values())


def _expand(name: str, recursive: bool) -> list[Input]:
    path = Path(name)
    if path.is_dir():
        images = [image for image in list_images(path, recursive=recursive) if not image.name.endswith(_OWN_OUTPUT)]
        if not images:
            raise UsageError(f"{path} holds no pictures", hint=None if recursive else "look deeper with --recursive")
        return [Input(image, image.relative_to(path)) for image in images]
    if path.exists():
        return [Input(path, Path(path.name))]
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - absolute patterns too
    files = [Input(match, Path(match.name)) for match in matches if match.is_file()]
    if not files:
        raise UsageError(f"there is no file or folder '{name}'")
    return files
