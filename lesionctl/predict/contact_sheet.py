"""Many pictures and what was found in them on one sheet, for a person to look over: those to be reviewed come first."""

from __future__ import annotations

import os
import unicodedata
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.atomic import unlock_file, write_bytes
from lesionctl.dataset.marks import Made, mark, mark_of
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.imaging.overlay import draw_outline
from lesionctl.imaging.sheet import GROUND, encode_sheet, tile, write
from lesionctl.predict.rows import take_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.imaging.frame import Frame

MOST = 60
"""Pictures on a sheet, where nothing else is asked for."""

_WIDTH, _HEIGHT = 256, 192  # pixels of a picture's place: most cameras take 4 to 3
_COLUMNS = 6
_MARGIN = 18
_LETTER = 10
_LINE = 21
_BORDER = 4  # pixels of the frame around a picture that is to be looked at
_PLACE = (238, 238, 238)  # beside a picture that is not as wide, or as high, as its place
_AMBER = (213, 94, 0)  # it is told from the outline's green, and from skin, by colour-blind readers too
_NAME, _FLAGS = 34, 36  # characters that fit into a line without becoming smaller


@dataclass(frozen=True, order=True)
class _Cell:
    """A picture of the sheet; they are sorted by what should be looked at first."""

    is_fine: bool
    confidence: float
    number: int
    thumbnail: Image = field(compare=False)
    name: str = field(compare=False)
    flags: tuple[str, ...] = field(compare=False)


class ContactSheet:
    """A PNG with small pictures, the outlines of what was found, their names and flags.

    Pictures with flags come first, the least certain before the others, then those without in the order in which they
    were added. Only those that will be on the sheet are kept.

    Args:
        path: The file; its directory is made.
        most: How many pictures it shows; at least 1.

    Raises:
        UsageError: There is something else at `path`.
        LesionctlError: It cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path, most: int = MOST) -> None:
        if os.path.lexists(path) and mark_of(path) is not Made.CONTACT_SHEET:
            raise UsageError(
                f"{path} exists already and is no contact sheet of this program",
                hint="choose another name, or move it away",
            )
        self._lock = take_file(path)
        self.path = path
        self._most = most
        self._cells: list[_Cell] = []
        self._count = self._flagged = 0

    def add(self, thumbnail: Image, name: str, flags: Sequence[str], confidence: float | None = None) -> None:
        """Add a picture.

        Args:
            thumbnail: uint8 `[192, 256, 3]`, from `draw_thumbnail`.
            name: What stands below it; a long one loses its middle.
            flags: Why it should be looked at; empty where nothing is wrong.
            confidence: In [0, 1], where it is known.
        """
        # Without flags, the order is that of the pictures: a little more or less certain is no reason to look.
        order = (confidence or 0.0) if flags else 0.0
        insort(self._cells, _Cell(not flags, order, self._count, thumbnail, name, tuple(map(str, flags))))
        del self._cells[self._most :]
        self._count += 1
        self._flagged += bool(flags)

    def write(self) -> None:
        """Write the sheet, and give the file back; without any picture, there is none.

        Raises:
            LesionctlError: The disk is full, or the place cannot be written to.
        """
        try:
            if self._cells:
                write_bytes(self.path, mark(self._encode(), Made.CONTACT_SHEET))
        except OSError as error:
            raise LesionctlError(f"{self.path} cannot be written ({error.strerror or error})") from error
        finally:
            unlock_file(self._lock)

    def _encode(self) -> bytes:
        cells = [_draw(cell) for cell in self._cells]
        columns = min(_COLUMNS, len(cells))
        sheet = tile([cells[start : start + columns] for start in range(0, len(cells), columns)], _MARGIN)
        return encode_sheet(np.concatenate([_head(sheet.shape[1], self._title()), sheet]))

    def _title(self) -> str:
        pictures = f"{self._count:,} pictures" if self._count > 1 else "1 picture"
        flagged = f"{self._flagged:,} to review" if self._flagged else "none to review"
        left_out = self._count - len(self._cells)
        return ", ".join([pictures, flagged, *([f"{len(self._cells):,} shown"] if left_out else [])])


def draw_thumbnail(view: Image, frame: Frame, mask: Mask) -> Image:
    """Draw a small picture with the outline of what was found.

    Args:
        view: uint8 `[size, size, 3]`, the network's view of the picture.
        frame: How the picture became the view.
        mask: bool `[H, W]`, at the picture's own size.

    Returns:
        uint8 `[192, 256, 3]`, the picture in the middle, in its own proportions.
    """
    scale = min(_WIDTH / frame.width, _HEIGHT / frame.height)
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    content = view[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns]
    shrinks = width <= content.shape[1] and height <= content.shape[0]
    picture = cv2.resize(content, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    points = cv2.resize(mask.view(np.uint8), (4 * width, 4 * height), interpolation=cv2.INTER_NEAREST)
    smooth = cv2.resize(points * np.uint8(255), (width, height), interpolation=cv2.INTER_AREA) > 127
    place: Image = np.full((_HEIGHT, _WIDTH, 3), _PLACE, np.uint8)
    top, left = (_HEIGHT - height) // 2, (_WIDTH - width) // 2
    place[top : top + height, left : left + width] = draw_outline(picture.astype(np.uint8, copy=False), smooth)
    return place


def _draw(cell: _Cell) -> Image:
    """A picture in its frame and what is written below it, uint8 `[200 + strip, 264, 3]`."""
    frame = _AMBER if cell.flags else GROUND
    picture = cv2.copyMakeBorder(cell.thumbnail, *(4 * (_BORDER,)), cv2.BORDER_CONSTANT, value=frame)
    strip = np.full((2 * _LINE + 4, picture.shape[1], 3), GROUND, np.uint8)
    write(strip, _shorten(cell.name, _NAME), (0, _LINE - 3), _LETTER)
    if cell.flags:
        cv2.rectangle(strip, (0, _LINE + 6), (_LETTER - 1, _LINE + 5 + _LETTER), _AMBER, cv2.FILLED)
        write(strip, _join(cell.flags), (_LETTER + 7, _LINE + 5 + _LETTER), _LETTER - 1)
    return np.concatenate([picture, strip]).astype(np.uint8, copy=False)


def _join(flags: tuple[str, ...]) -> str:
    """As many flags as fit into a line, and how many more there are."""
    for kept in range(len(flags), 1, -1):
        more = [f"+{len(flags) - kept}"] if kept < len(flags) else []
        text = ", ".join([*flags[:kept], *more])
        if len(text) <= _FLAGS:
            return text
    return ", ".join([_shorten(flags[0], _FLAGS - 4), *([f"+{len(flags) - 1}"] if len(flags) > 1 else [])])


def _shorten(text: str, room: int) -> str:
    """In the letters that can be drawn, with the middle of a long text left out: file names differ at their ends."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    drawn = "".join(letter if " " <= letter <= "~" else "?" for letter in plain)
    if len(drawn) <= room:
        return drawn
    tail = (room - 3) // 2
    return f"{drawn[: room - 3 - tail]}...{drawn[-tail:]}"


def _head(width: int, title: str) -> Image:
    """A strip `[h, width, 3]` with what the sheet shows."""
    line = np.full((2 * _MARGIN, width - 2 * _MARGIN, 3), GROUND, np.uint8)
    write(line, title, (0, 2 * _MARGIN - 8), _LETTER + 4)
    strip = cv2.copyMakeBorder(line, 0, 0, _MARGIN, _MARGIN, cv2.BORDER_CONSTANT, value=GROUND)
    return strip.astype(np.uint8, copy=False)
