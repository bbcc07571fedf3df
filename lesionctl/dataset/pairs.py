"""Pictures and masks that belong together, matched by id and never by the order of a listing."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.imaging.decode import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator

# 2016 masks end in _Segmentation, 2017 and later in _segmentation, PH2's in _lesion; _mask and _seg are people's own.
_MASK_ENDING = re.compile(r"(_segmentation|_lesion|_mask|_seg)$", re.IGNORECASE)
_NOT_A_PICTURE_ENDING = re.compile(r"_superpixels$", re.IGNORECASE)  # 2017 archives hold them beside the pictures


@dataclass(frozen=True)
class Pair:
    """A picture and its mask."""

    id: str
    image: Path
    mask: Path


@dataclass
class Pairing:
    """What two folders hold together.

    Attributes:
        pairs: Pictures with their masks, sorted by id.
        images_without_mask: Pictures whose id no mask has.
        masks_without_image: Masks whose id no picture has.
        ambiguous: By id, all files of an id that several pictures, or several masks, have.
    """

    pairs: list[Pair] = field(default_factory=list)
    images_without_mask: list[Path] = field(default_factory=list)
    masks_without_image: list[Path] = field(default_factory=list)
    ambiguous: dict[str, list[Path]] = field(default_factory=dict)


def image_id(path: Path) -> str:
    """The id of a picture: its name without the suffix."""
    return path.stem


def mask_id(path: Path) -> str:
    """The id of the picture that a mask belongs to: `ISIC_1_Segmentation.png` → `ISIC_1`."""
    return _MASK_ENDING.sub("", path.stem)


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files in `folder`, sorted by name; hidden files, hidden folders and superpixel maps are passed over.

    A link that leads nowhere is listed, and so is a subfolder that cannot be looked into: whoever reads it says so.
    Links to folders are not followed.

    Raises:
        UsageError: There is no such folder, or it cannot be looked into.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    try:
        return list(_images_below(folder, recursive))
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({error.strerror})") from error


def _images_below(folder: Path, recursive: bool) -> Iterator[Path]:
    with os.scandir(folder) as entries:  # it tells files from folders without a look at each of them
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in visible:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from _images_of_subfolder(folder / entry.name)
        elif _is_named_as_picture(entry.name) and _is_file_or_dead_link(entry):
            yield folder / entry.name


def _images_of_subfolder(folder: Path) -> Iterator[Path]:
    try:
        yield from _images_below(folder, recursive=True)
    except OSError:
        yield folder


def _is_named_as_picture(name: str) -> bool:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path takes ten times as long
    return suffix.lower() in IMAGE_SUFFIXES and not _NOT_A_PICTURE_ENDING.search(stem)


def _is_file_or_dead_link(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() or not Path(entry.path).exists()
    except OSError:  # a link in a circle
        return True


def pair_folders(images: Path, masks: Path) -> Pairing:
    """Match the pictures of one folder with the masks of another by id.

    Args:
        images: A folder of pictures.
        masks: A folder of masks; may be the same folder where masks have an ending of their own.

    Raises:
        UsageError: One of them is no folder.
    """
    pictures, truths = list_images(images), list_images(masks)
    if images.resolve() == masks.resolve():
        pictures = [path for path in pictures if not _MASK_ENDING.search(path.stem)]
        truths = [path for path in truths if _MASK_ENDING.search(path.stem)]
    by_id, masks_by_id = defaultdict(list), defaultdict(list)
    for path in pictures:
        by_id[image_id(path)].append(path)
    for path in truths:
        masks_by_id[mask_id(path)].append(path)

    found = Pairing()
    for name in sorted(by_id.keys() | masks_by_id.keys()):
        match by_id[name], masks_by_id[name]:
            case [image], [mask]:
                found.pairs.append(Pair(name, image, mask))
            case [image], []:
                found.images_without_mask.append(image)
            case [], [mask]:
                found.masks_without_image.append(mask)
            case several:
                found.ambiguous[name] = several[0] + several[1]
    return found
