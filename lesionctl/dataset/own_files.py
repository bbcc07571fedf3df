"""What this program wrote into a folder of pictures, which is no picture of the next run."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.dataset.marks import mark_of
from lesionctl.imaging.decode import IMAGE_SUFFIXES
from lesionctl.imaging.masks import MASK_SUFFIX, PROBABILITIES_SUFFIX
from lesionctl.imaging.overlay import OVERLAY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = ".lesionctl"
"""Where the manifests of a folder of masks lie."""

ENDINGS = (MASK_SUFFIX, OVERLAY_SUFFIX, PROBABILITIES_SUFFIX)
"""How the names of the files end that are made of each picture."""

_SHARE = re.compile(r"\.\d+-of-\d+$")


class OwnFiles:
    """Tells the program's own files from pictures, among files that nobody named one by one.

    Its own are: what has its mark or is in one of its manifests, and what the command at hand writes about all
    pictures. A mask that lies beside its picture is left out with them, whoever made it. A file whose name merely ends
    as theirs do is a picture.

    Args:
        written: What the command at hand writes about all pictures; a share's file has the name of all of them with
            `.I-of-N` in it.

    Attributes:
        left_out: Files that were found to be its own, each once, in the order in which they were met.
    """

    def __init__(self, written: Iterable[Path] = ()) -> None:
        self.left_out: list[Path] = []
        self._known: set[str] = set()
        self._real_folder = cache(os.path.realpath)
        self._stems = cache(_stems)
        self._made = cache(_made)
        self._written = {self.real_path(path) for path in written}
        self._names = {os.path.basename(path) for path in self._written}  # noqa: PTH119 - it is text

    def real_path(self, path: Path) -> str:
        """A file's path, however its folder is spelled; two links to one file are two files."""
        return os.path.join(self._real_folder(path.parent), path.name)  # noqa: PTH118 - a Path takes ten times as long

    def leave_out(self, path: Path) -> bool:
        """Whether a file is the program's own; it is remembered."""
        if not (self.is_about_all(path) or self._is_of_a_picture(path)):
            return False
        self.remember(path)
        return True

    def remember(self, path: Path) -> None:
        """Add a file to those that are left out."""
        key = self.real_path(path)
        if key not in self._known:
            self._known.add(key)
            self.left_out.append(path)

    def is_about_all(self, path: Path) -> bool:
        """Whether the command at hand, or another share of it, writes this file."""
        if not self._names:
            return False
        stem, suffix = os.path.splitext(path.name)  # noqa: PTH122 - a Path takes ten times as long
        whole = _SHARE.sub("", stem) + suffix
        for name in (path.name, whole):
            if name in self._names and self.real_path(path.with_name(name)) in self._written:
                return True
        return False

    def is_in_a_manifest(self, path: Path) -> bool:
        """Whether a manifest, of its folder or of one above, says that the program wrote this file."""
        folder = Path(self._real_folder(path.parent))
        for above in (folder, *folder.parents):
            if (above / FOLDER).is_dir() and (folder / path.name).relative_to(above).as_posix() in self._made(above):
                return True
        return False

    def _is_of_a_picture(self, path: Path) -> bool:
        if FOLDER in path.parts:
            return True
        ending = next(filter(path.name.endswith, ENDINGS), None)
        if ending is None:  # a contact sheet may have any name
            return path.name.lower().endswith(".png") and mark_of(path) is not None
        if ending == MASK_SUFFIX and path.name.removesuffix(ending) in self._stems(path.parent):
            return True
        return mark_of(path) is not None or self.is_in_a_manifest(path)


def manifests_in(out: Path) -> list[Path]:
    """The manifests of a folder of masks, sorted by name."""
    return sorted((out / FOLDER).glob("masks.*.jsonl"))


def _stems(folder: Path) -> frozenset[str]:
    """The names of a folder's pictures without their suffixes."""
    with os.scandir(folder) as entries:
        parts = [os.path.splitext(entry.name) for entry in entries]  # noqa: PTH122 - a Path takes ten times as long
    return frozenset(stem for stem, suffix in parts if suffix.lower() in IMAGE_SUFFIXES)


def _made(out: Path) -> frozenset[str]:
    """What the manifests of a folder name: paths from there."""
    return frozenset(name for path in manifests_in(out) for name in _files_of(path))


def _files_of(manifest: Path) -> list[str]:
    """The files that a manifest names; a line that was cut off by a kill names none."""
    names = []
    try:
        lines = manifest.read_bytes().split(b"\n")
    except OSError:
        return []
    for line in lines:
        try:
            found = json.loads(line)
            mask, row = str(found["mask"]), found["row"]
            names.append(mask)
            for column, ending in (("overlay", OVERLAY_SUFFIX), ("probabilities", PROBABILITIES_SUFFIX)):
                if row[column]:
                    names.append(mask.removesuffix(MASK_SUFFIX) + ending)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return names
