"""Outlines as polygons, in a file of the COCO format for instance segmentation.

The format: Lin et al., "Microsoft COCO: common objects in context", 2014. A picture in which a lesion was found has one
annotation, of all regions of its mask: a polygon for each, around its outer outline. Holes are not in it, as polygons
cannot have any; the mask files have them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from lesionctl.atomic import escape_undecodable, unlock_file, write_bytes
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.predict.rows import LineFile, MaskNames, take_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Mask

TOLERANCE = 0.45
"""Pixels that a polygon may be away from the outline. Below a half, so that nothing as thin as a pixel collapses."""

_CATEGORY = {"id": 1, "name": "lesion", "supercategory": "skin"}

_PICTURE = ("file_name", "mask", "mask_digest", "width", "height")

# The way around a pixel, with the pixel on the left: its sides, by their middles, each from a corner to the next.
_CORNERS = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)])
_SIDES: NDArray[np.float64] = (_CORNERS + np.roll(_CORNERS, -1, axis=0)) / 2


@dataclass(frozen=True)
class Polygons:
    """The outline of a lesion.

    Attributes:
        points: For each region x, y, x, y, … in pixels from the picture's upper left corner, where a pixel's centre is
            at 0.5: COCO's `segmentation`.
        area: What they enclose, in pixels.
        bounding_box: Left, top, width and height of the mask's lesion, in pixels.
    """

    points: list[list[float]]
    area: float
    bounding_box: tuple[int, int, int, int]


def trace(mask: Mask, tolerance: float = TOLERANCE) -> Polygons | None:
    """Trace the outer outlines of a mask.

    They run through the middles of the edges between lesion and background, so that exactly the centres of the lesion's
    pixels lie within them; with a tolerance, a few pixels along them may fall on the other side.

    Args:
        mask: bool `[H, W]`.
        tolerance: How far a polygon may be from the outline, in pixels: the larger, the fewer points it has.

    Returns:
        None where nothing was found.
    """
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return None
    outlines = [_between_pixels(outline[:, 0].astype(np.float64)) for outline in found]
    corners = np.concatenate(outlines)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    polygons = [_simplify(outline, tolerance) for outline in outlines]
    return Polygons(
        points=[polygon.ravel().tolist() for polygon in polygons],
        area=round(sum(_area(polygon) for polygon in polygons), 2),
        bounding_box=(int(left), int(top), int(right - left), int(bottom - top)),
    )


class CocoFile:
    """A COCO file that is written whole at the end, from polygons that wait in a file beside it.

    That file, `.NAME.lines`, is there while the work is not done: an interrupted run is gone on with. An existing COCO
    file of this program is gone on with too. Pictures are numbered from 1 in the order in which they were added; beside
    what COCO asks for, each has the path of its mask and a digest of the mask's file.

    Args:
        path: The file; its directory is made.
        out: The folder of the masks.

    Raises:
        UsageError: There is something else at `path`.
        LesionctlError: It cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path, out: Path) -> None:
        self.path = path
        self._names = MaskNames(out)
        waiting = path.with_name(f".{path.name}.lines")
        self._lock = take_file(path)
        try:
            if path.exists() and not waiting.exists():
                write_bytes(waiting, "".join(f"{line}\n" for line in _read(path)).encode())
            self._lines = LineFile(waiting, '{"file_name":"', "", self._name_of, lambda line: _halves(line)[0])
        except OSError as error:
            unlock_file(self._lock)
            raise self._unwritable(error) from error
        except BaseException:
            unlock_file(self._lock)
            raise

    def holds(self, image: Path, mask: Path, digest: str, width: int, height: int) -> bool:
        """Whether the outline of a mask is there already, and nothing about it has changed."""
        stamp = _halves(_line(image, mask, digest, width, height, None))[0]
        return self._lines.holds(self._names.of(mask), stamp)

    def add(self, image: Path, mask: Path, digest: str, width: int, height: int, polygons: Polygons | None) -> None:
        """Add a picture, unless it is there already; what was found in it is on disk at once.

        Args:
            image: The picture file, and what it is called in the file.
            mask: Its mask file.
            digest: What changes where the mask does.
            width: In pixels.
            height: In pixels.
            polygons: From `trace`; None: nothing was found, and the picture is listed without an annotation.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.add(self._names.of(mask), _line(image, mask, digest, width, height, polygons))

    def forget(self, masks: Iterable[Path]) -> None:
        """Remove pictures whose masks are made anew.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.forget(map(self._names.of, masks))

    def write(self) -> None:
        """Write the file, and close it.

        Raises:
            LesionctlError: The disk is full, or the place cannot be written to.
        """
        try:
            self._lines.close()
            self._write()
        finally:
            unlock_file(self._lock)

    def _write(self) -> None:
        whole = self.path.with_name(f".{self.path.name}.whole")
        try:
            with whole.open("w", encoding="utf-8") as file:
                file.writelines(self._parts())
                file.flush()
                os.fsync(file.fileno())
            os.replace(whole, self.path)  # noqa: PTH105 - in the words of atomic.py
            self._lines.path.unlink()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> LesionctlError:
        return LesionctlError(f"{self.path} cannot be written ({error.strerror or error})")

    def _name_of(self, line: str) -> str:
        return self._names.of_text(json.loads(line)["mask"])

    def _parts(self) -> Iterator[str]:
        """The text of the file, one picture at a time: there may be more of them than memory holds."""
        yield '{"info": {"description": "Skin lesions found by lesionctl"},\n"licenses": [],\n'
        yield f'"categories": [{json.dumps(_CATEGORY)}],\n"images": ['
        for number, line in enumerate(self._lines.lines(), start=1):
            image, _ = _halves(line)
            yield _separator(number) + f'{{"id":{number},{image[1:]}}}'
        yield '\n],\n"annotations": ['
        annotations = 0
        for number, line in enumerate(self._lines.lines(), start=1):
            _, lesion = _halves(line)
            if lesion != "null":
                annotations += 1
                numbers = f'"id":{annotations},"image_id":{number},"category_id":{_CATEGORY["id"]},"iscrowd":0'
                yield _separator(annotations) + f"{{{numbers},{lesion[1:]}"
        yield "\n]}\n"


def _halves(line: str) -> tuple[str, str]:
    """What a line says of the picture, without its closing brace, and of the lesion.

    As text: reading all the numbers to write them again would take twenty times as long. No file name can look like
    what is between the two, for its quotation marks are escaped.
    """
    image, _, lesion = line.partition(',"lesion":')
    return image, lesion[:-1]


def _line(image: Path, mask: Path, digest: str, width: int, height: int, polygons: Polygons | None) -> str:
    lesion: dict[str, Any] | None = None
    if polygons:
        lesion = {"area": polygons.area, "bbox": polygons.bounding_box, "segmentation": polygons.points}
    names = {"file_name": str(image), "mask": str(mask), "mask_digest": digest}
    return _to_json({**names, "width": width, "height": height, "lesion": lesion})


def _separator(number: int) -> str:
    return "\n" if number == 1 else ",\n"


def _to_json(value: dict[str, Any]) -> str:
    """On one line; nine in ten bytes of a file are numbers, so without spaces."""
    return escape_undecodable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _read(path: Path) -> Iterator[str]:
    """The lines that an existing COCO file was made of."""
    try:
        content = json.loads(path.read_bytes())
        if content["categories"] != [_CATEGORY]:
            raise ValueError("other categories")
        lesions = {
            entry["image_id"]: {name: entry[name] for name in ("area", "bbox", "segmentation")}
            for entry in content["annotations"]
        }
        for image in content["images"]:
            line = {name: image[name] for name in _PICTURE}
            yield _to_json({**line, "lesion": lesions.get(image["id"])})
    except OSError as error:
        raise LesionctlError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} exists already and is no COCO file of this program", hint="choose another name, or move it away"
        ) from error


def _between_pixels(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middles of all edges between a region and what is around it.

    Args:
        outline: float64 `[N, 2]`: x and y of the region's outermost pixels, in steps to one of the eight neighbours,
            with the background on the right.

    Returns:
        float64 `[M, 2]`, where a pixel's centre is at 0.5.
    """
    if len(outline) == 1:
        return outline + 0.5 + _SIDES
    step = np.roll(outline, -1, axis=0) - outline
    is_straight = (np.abs(step).sum(axis=1) == 1)[:, None]
    # The corner at which the way leaves a pixel: on the right of a straight step, or where a diagonal one passes.
    leaving = step / 2 + is_straight * np.stack([-step[:, 1], step[:, 0]], axis=1) / 2
    entering = np.roll(leaving - step, 1, axis=0)
    first, last = _corner(entering), _corner(leaving)
    sides = (last - first) % 4
    turns_back = (step == -np.roll(step, 1, axis=0)).all(axis=1)
    sides[turns_back & (sides == 0)] = 4  # at the tip of a diagonal line all four sides are outside
    ends = np.cumsum(sides)
    along = np.arange(ends[-1]) - np.repeat(ends - sides, sides)
    middles: NDArray[np.float64] = _SIDES[(np.repeat(first, sides) + along) % 4]
    return np.repeat(outline, sides, axis=0) + 0.5 + middles


def _corner(offset: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of a corner in `_CORNERS`."""
    is_right, is_lower = offset[:, 0] > 0, offset[:, 1] > 0
    return np.where(is_right, 3 - is_lower, is_lower).astype(np.int64)


def _simplify(outline: NDArray[np.float64], tolerance: float) -> NDArray[np.float32]:
    exact = outline.astype(np.float32)
    simple = cv2.approxPolyDP(exact[:, None], tolerance, closed=True)[:, 0]
    return simple if len(simple) > 2 else exact  # type: ignore[return-value]


def _area(polygon: NDArray[np.float32]) -> float:
    return cv2.contourArea(polygon[:, None])
