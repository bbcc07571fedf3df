"""Pictures and masks that belong together, matched by id and never by the order of a listing."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lesionctl.errors import Failure, UsageError
from lesionctl.imaging.decode import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

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
    """What two folders hold together, and the files that found no partner."""

    pairs: list[Pair] = field(default_factory=list)
    left_out: list[Failure] = field(default_factory=list)


def image_id(path: Path) -> str:
    """The id of a picture: its name without the suffix."""
    return path.stem


def mask_id(path: Path) -> str:
    """The id of the picture that a mask belongs to: `ISIC_1_Segmentation.png` → `ISIC_1`."""
    return _MASK_ENDING.sub("", path.stem)


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files in `folder`, sorted by name; hidden files, hidden folders and superpixel maps are passed over.

    Raises:
        UsageError: There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    return sorted(
        path
        for path in (folder.rglob("*") if recursive else folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not _NOT_A_PICTURE_ENDING.search(path.stem)
        and path.is_file()
    )


def pair_folders(images: Path, masks: Path) -> Pairing:
    """Match the pictures of one folder with the masks of another by id.

    Args:
        images: A folder of pictures.
        masks: A folder of masks; may be the same folder where masks have an ending of their own.

    Returns:
        Pairs sorted by id, and every file that has no partner or shares its id with another.

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
        candidates, candidate_masks = by_id.get(name, []), masks_by_id.get(name, [])
        reason = _why_no_pair(name, len(candidates), len(candidate_masks))
        if reason is None:
            found.pairs.append(Pair(name, candidates[0], candidate_masks[0]))
        else:
            found.left_out += [Failure(path, reason) for path in candidates + candidate_masks]
    return found


def _why_no_pair(name: str, images: int, masks: int) -> str | None:
    if images == 0:
        return "a mask without a picture"
    if masks == 0:
        return "a picture without a mask"
    if images > 1:
        return f"{images} pictures share the id {name}"
    if masks > 1:
        return f"{masks} masks share the id {name}"
    return None
