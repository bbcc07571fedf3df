"""One decoder for every subcommand: any picture file → upright RGB."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lesionctl.errors import BadFile, MissingExtra
from lesionctl.imaging.large import one_huge_at_a_time
from lesionctl.imaging.opening import MAX_PIXELS, is_dicom, named_reasons, open_picture, read_file, tiff_tag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionctl.imaging.arrays import Image

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2"),
        *(".heic", ".heif", ".hif", ".avif"),
        *(".dcm", ".dicom"),
    }
)

DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of grey pictures with more than 8 bits."""

_PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 262, 0

_ORIENTATION_TAG = 0x0112
_TRANSPOSED = frozenset({5, 6, 7, 8})  # EXIF orientations that swap height and width

_WITH_SCALES = frozenset({"JPEG", "MPO"})
_SCALES = (8, 4, 2)  # those of JPEG, where 8 is an eighth

# A larger picture that has no smaller scales is reduced to one of them strip by strip as it becomes RGB: at its full
# size a second copy of it would be held, and a third where it has other colours.
_LARGE = 2**24
_STRIP = 2**22

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint8] | NDArray[np.uint16])


@dataclass(frozen=True)
class Decoded:
    """A picture, and the size that it has in its file.

    Attributes:
        image: uint8 `[h, w, 3]`, upright; smaller than `height` × `width` where less was asked for.
        height: Height in pixels of the upright picture in the file.
        width: Width in pixels of the upright picture in the file.
    """

    image: Image
    height: int
    width: int


def decode(path: Path, at_least: int | None = None, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Read and decode a picture file; see `decode_bytes`."""
    return decode_bytes(read_file(path), path, at_least, max_pixels)


def decode_bytes(content: bytes, path: Path, at_least: int | None = None, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode the content of a picture file into upright RGB.

    Args:
        content: The file's bytes; they decide what kind it is, the name does not.
        path: Its name, for messages.
        at_least: A side in pixels: a JPEG, and any other picture of more than 16 megapixels, is given at the smallest
            of JPEG's scales (1/8, 1/4, 1/2, 1) that keeps both sides at least this long. A JPEG is decoded much faster
            so, and a large picture takes little memory beyond what its decoder holds.
        max_pixels: A picture of more is refused before any of it is decoded.

    Returns:
        The picture; 16-bit values are scaled to 8 bits, alpha is dropped and not blended, colour profiles are not
        applied, and of several frames or pages the first is taken (of HEIF the primary; DICOM must have a single one).

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large, or a package that its kind needs
            is not installed.
    """
    if is_dicom(content):
        image = _decode_dicom(content, path, max_pixels)
        return Decoded(image, *image.shape[:2])
    with open_picture(content, path, max_pixels) as picture:
        stored = picture.size
        if at_least is not None and picture.format in _WITH_SCALES:
            picture.draft("RGB", (at_least, at_least))
        is_smaller = picture.size != stored
        with one_huge_at_a_time(picture.width * picture.height):
            if _is_large_webp(picture):
                orientation, pixels = _orientation(picture), _read_webp(content)
            else:
                orientation, pixels = read_orientation(picture), picture
            width, height = stored if is_smaller else pixels.size
            image = turn_upright(_rgb(pixels, path, at_least), orientation)
        return Decoded(image, *((width, height) if orientation in _TRANSPOSED else (height, width)))


def read_orientation(picture: PIL.Image.Image) -> int:
    """How `turn_upright` has to turn the pixels of an open picture: its EXIF orientation, 1 where it has none.

    A picture is read to its end first, for a PNG may have its EXIF data there.
    """
    if picture.format == "TIFF":
        return _read_as_stored(picture)
    picture.load()
    return _orientation(picture)


def _read_as_stored(picture: PIL.Image.Image) -> int:
    """Read a TIFF, which Pillow would turn upright with a second copy of it in memory; returns its orientation."""
    orientation = _orientation(picture)
    with suppress(SyntaxError, TypeError, ValueError):
        picture.getexif().pop(_ORIENTATION_TAG, None)
    picture.load()
    picture._size = picture.im.size  # Pillow announces the size of the upright picture
    return orientation


def _is_large_webp(picture: PIL.Image.Image) -> bool:
    is_large = picture.width * picture.height > _LARGE
    return is_large and picture.format == "WEBP" and getattr(picture, "n_frames", 1) == 1


def _read_webp(content: bytes) -> PIL.Image.Image:
    """A WebP of a single frame: Pillow takes it for an animation, and holds four of its frames at a time."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise OSError("damaged WebP data")
    return PIL.Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image))


def _orientation(picture: PIL.Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, TypeError, ValueError):  # what a camera garbled beside the picture does not spoil it
        return 1


def turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn a picture as its EXIF orientation says (CIPA DC-008, tag 0x0112).

    Args:
        pixels: `[H, W]` or `[H, W, C]`.
        orientation: 1 to 8; anything else means nothing, like 1.
    """
    if orientation in _TRANSPOSED:
        pixels = cast("Pixels", cv2.transpose(pixels))
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cast("Pixels", cv2.flip(pixels, flip))


def deep_levels(picture: PIL.Image.Image, path: Path) -> NDArray[np.uint16]:
    """The grey levels of a picture in one of `DEEP_MODES`.

    Returns:
        uint16 `[H, W]`: 0 is black, 65535 white.

    Raises:
        BadFile: They are 32-bit numbers beyond 65535, of which nobody knows which is white.
    """
    levels = _whole_levels(picture, path)
    return ~levels if _is_inverted(picture) else levels


def convert_opaque(picture: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    """A picture that was read in another mode ("L" or "RGB"), its transparency dropped."""
    picture.info.pop("transparency", None)  # Pillow warns of what it would drop
    return picture.convert(mode)


def _rgb(picture: PIL.Image.Image, path: Path, at_least: int | None) -> Image:
    """The colours of a picture that was read; a large one at a smaller scale, where no side gets shorter than that."""
    picture.info.pop("transparency", None)  # alpha is dropped; Pillow would warn of it
    width, height = picture.size
    scale = 1
    if at_least is not None and width * height > _LARGE:
        scale = next((scale for scale in _SCALES if min(width, height) >= scale * at_least), 1)
    is_inverted = _is_inverted(picture)
    if width * height <= _STRIP:
        return np.asarray(_opaque_strip(picture, path, is_inverted))
    image = np.empty((-(-height // scale), -(-width // scale), 3), np.uint8)
    for top, strip in _strips(picture):
        colours = _opaque_strip(strip, path, is_inverted)
        rows = np.asarray(colours.reduce(scale) if scale > 1 else colours)
        image[top // scale :][: len(rows)] = rows
    return image


def _strips(picture: PIL.Image.Image) -> Iterator[tuple[int, PIL.Image.Image]]:
    """A picture piece by piece, each with its first row, which every scale divides."""
    step = max(1, _STRIP // picture.width // _SCALES[0]) * _SCALES[0]
    for top in range(0, picture.height, step):
        yield top, picture.crop((0, top, picture.width, min(top + step, picture.height)))


def _opaque_strip(strip: PIL.Image.Image, path: Path, is_inverted: bool) -> PIL.Image.Image:
    if strip.mode == "F":
        raise BadFile(path, "holds floating-point pixels, which have no agreed range")
    if strip.mode in DEEP_MODES:
        grey = (_whole_levels(strip, path) >> 8).astype(np.uint8)
        strip = PIL.Image.fromarray(~grey if is_inverted else grey)
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _whole_levels(picture: PIL.Image.Image, path: Path) -> NDArray[np.uint16]:
    """The grey levels of a picture in one of `DEEP_MODES` as they are stored."""
    levels = np.asarray(picture)
    if levels.dtype.itemsize > 2:  # Pillow widens signed 16-bit numbers to 32 bits
        if levels.max() > 0xFFFF or levels.min() < -0x8000:
            raise BadFile(path, "holds 32-bit numbers, which have no agreed range")
        levels = levels.clip(0)
    return levels.astype(np.uint16)


def _is_inverted(picture: PIL.Image.Image) -> bool:
    """Whether 0 is white: Pillow inverts that up to 8 bits, and forgets it beyond."""
    return picture.mode in DEEP_MODES and tiff_tag(picture, _PHOTOMETRIC_TAG) == _WHITE_IS_ZERO


def _decode_dicom(content: bytes, path: Path, max_pixels: int) -> Image:
    try:
        from lesionctl.imaging.dicom import decode_dicom
    except ImportError as error:
        missing = MissingExtra("pydicom", "dicom", "a DICOM file")
        raise BadFile(path, f"{missing.what}: {missing.hint}") from error
    with named_reasons(content, path):
        return decode_dicom(content, path, max_pixels)
