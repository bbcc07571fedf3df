"""Mask files: any kind is read, always through grey; black and white PNG, `<stem>_segmentation.png`, is written."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import DEEP_MODES, convert_opaque, deep_levels, read_orientation, turn_upright
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.opening import is_dicom, open_picture, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.imaging.frame import Frame

    Levels = NDArray[np.uint8] | NDArray[np.uint16]

MASK_SUFFIX = "_segmentation.png"
PROBABILITIES_SUFFIX = "_probability.png"

FOREGROUND_ABOVE = 128
"""ISIC's scorer takes a pixel of a mask file as lesion where its grey value is above this."""

_FULL = (1, 255, 65535)  # what lesion may be in a binary mask, where background is 0
_BLACK_AND_WHITE = (0, 255, 65535)  # the highest value of a mask that is black, or black and white

_GREY_MODES = DEEP_MODES | {"1", "L", "LA"}

_PNG_FILTER, _NO_FILTER, _UP = 19, 8, 32  # their names came with OpenCV 4.12; what is older passes over them

# Runs of equal bytes are all that a mask has: run-length matching alone compresses it nearly as well as a full search,
# in a fraction of the time. A filter would make it larger, slower to write and slower to read. The level is left open
# because OpenCV then takes the quickest, while naming the same has versions before 4.12 try every filter on every row.
_PNG_SETTINGS = [
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(_PNG_FILTER, _NO_FILTER),
]

# Gradients are the other way round: of the quick settings, these make the smallest files, and are the quickest too.
_GRADIENT_SETTINGS = [
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(_PNG_FILTER, _UP),
]

# Of a PNG's header: what comes before the width, and after the height of greys that are not interlaced.
_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
_ONE_BIT_GREY, _EIGHT_BIT_GREY = b"\1\0\0\0\0", b"\x08\0\0\0\0"


def read_mask(path: Path, *, strict: bool = False, binarise_at: int | None = None) -> Mask:
    """Read and decode a mask file; see `decode_mask`."""
    return decode_mask(read_file(path), path, strict=strict, binarise_at=binarise_at)


def decode_mask(content: bytes, path: Path, *, strict: bool = False, binarise_at: int | None = None) -> Mask:
    """Decode the content of a mask file of any kind, always through grey and never by palette index.

    In a file with 16 bits, values are taken by their upper 8, or as they are where none is above 255.

    Args:
        content: The file's bytes.
        path: Its name, for messages.
        strict: Refuse a mask that holds anything but 0 and one of 1, 255 and (16 bits) 65535, which are background and
            lesion.
        binarise_at: In place of strictness: lesion is what is above this grey value, 0 to 254.

    Returns:
        bool `[H, W]`, upright: the grey value is above `binarise_at`, or 128.

    Raises:
        BadFile: The file cannot be read or is DICOM; (strict) it is not binary; (strict, `binarise_at`) its
            transparency contradicts its colours.
    """
    with _open_mask(content, path) as picture:
        if _is_one_bit(picture, content):
            return _unpack(content, path, picture.width)
        orientation = read_orientation(picture)
        is_checked = strict or binarise_at is not None
        opaque = _opaque(picture) if is_checked and picture.has_transparency_data else None
        levels = _levels(picture, path)
        if strict and binarise_at is None:
            mask = _binary(levels, path, lossy=picture.format == "JPEG")
        else:
            mask = levels > _scaled(FOREGROUND_ABOVE if binarise_at is None else binarise_at, int(levels.max()))
        if opaque is not None and _contradicts(opaque, mask):
            raise BadFile(path, "the mask's transparency contradicts its colours: save it without transparency")
        return turn_upright(mask.view(np.uint8), orientation).view(np.bool_)


def examine_mask(path: Path) -> tuple[Mask, str | None]:
    """Read a mask file for scoring: any kind, by ISIC's rule, with a remark where it is not plainly black and white.

    A file that holds values other than 0, of which none is above 128 (0 and 1, in most cases), is no mask by that rule:
    as an empty one it would give figures that look right.

    Returns:
        The mask as `read_mask` gives it, bool `[H, W]`, and what a person should know of the file: that it holds other
        values than 0 and 255 (65535 in 16 bits), or that its transparency contradicts its colours. None where there is
        nothing to remark.

    Raises:
        BadFile: The file cannot be read or is DICOM, or nothing in it is above 128 and yet it is not black.
    """
    content = read_file(path)
    with _open_mask(content, path) as picture:
        if _is_one_bit(picture, content):
            return _unpack(content, path, picture.width), None
        orientation = read_orientation(picture)
        opaque = _opaque(picture) if picture.has_transparency_data else None
        levels = _levels(picture, path)
        highest = int(levels.max())
        mask, remarks = _split(levels, highest) if highest in _BLACK_AND_WHITE else None, []
        if mask is None:
            above = _scaled(FOREGROUND_ABOVE, highest)
            mask = levels > above
            as_grey = "" if picture.mode in _GREY_MODES else "as grey, "
            if highest <= above:
                reason = f"its highest value is {highest}: nothing in it is above {above} (save lesion as 255)"
                raise BadFile(path, as_grey + reason)
            values = _list_values(_values(levels), lossy=picture.format == "JPEG")
            remarks.append(f"{as_grey}{values}; lesion is what is above {above}")
        if opaque is not None and _contradicts(opaque, mask):
            remarks.append("its transparency contradicts its colours, which count")
        return turn_upright(mask.view(np.uint8), orientation).view(np.bool_), "; ".join(remarks) or None


def encode_mask(mask: Mask, form: MaskForm = MaskForm.GREY8) -> bytes:
    """The bytes of a grey PNG, black for background and white for lesion.

    Args:
        mask: bool `[H, W]`.
        form: How many bits a pixel has.
    """
    if form is MaskForm.GREY8:
        return _encode_png(mask.view(np.uint8) * np.uint8(255), _PNG_SETTINGS)
    # Eight pixels are written as one, which takes a quarter of the time that any encoder does for single bits.
    packed = _encode_png(np.packbits(mask, axis=1), _PNG_SETTINGS)
    return _with_header(packed, mask.shape[1], _ONE_BIT_GREY)


def encode_probability(probability: Probability, frame: Frame) -> bytes:
    """The bytes of a 16-bit grey PNG of the picture's own size, from 0 for a probability of 0 to 65535 for 1.

    Args:
        probability: float32 `[size, size]` in [0, 1], in the network's geometry.
        frame: How the picture was mapped into it.
    """
    levels = np.rint(probability * np.float32(65535)).astype(np.uint16)
    return _encode_png(frame.restore(levels), _GRADIENT_SETTINGS)


def _encode_png(pixels: Levels, settings: list[int]) -> bytes:
    done, encoded = cv2.imencode(".png", pixels, settings)
    if not done:
        raise RuntimeError("the PNG encoder refused a picture")
    return encoded.tobytes()


def _with_header(content: bytes, width: int, kind: bytes) -> bytes:
    """A PNG that says otherwise how its bytes are pixels; as many rows of as many bytes."""
    header = b"IHDR" + struct.pack(">I", width) + content[20:24] + kind
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@contextmanager
def _open_mask(content: bytes, path: Path) -> Iterator[ImageFile]:
    if is_dicom(content):
        raise BadFile(path, "a DICOM file cannot be a mask: save the mask as PNG")
    with open_picture(content, path) as picture:
        yield picture


def _is_one_bit(picture: Picture, content: bytes) -> bool:
    """Whether this is a plain PNG of 1 bit per pixel."""
    return (
        content.startswith(_PNG_BEGINNING)
        and content[24:29] == _ONE_BIT_GREY
        and not picture.has_transparency_data
        and not getattr(picture, "is_animated", False)
    )


def _unpack(content: bytes, path: Path, width: int) -> Mask:
    """Decode a 1-bit PNG as what it is to the byte but for its header: one of 8 bits, an eighth as wide.

    Every 8 pixels are then decoded as one, which takes half the time.
    """
    with open_picture(_with_header(content, -(-width // 8), _EIGHT_BIT_GREY), path) as picture:
        orientation = read_orientation(picture)
        bits = np.unpackbits(np.asarray(picture), axis=1, count=width)
        return turn_upright(bits, orientation).view(np.bool_)


def _levels(picture: Picture, path: Path) -> Levels:
    if picture.mode in DEEP_MODES:
        return deep_levels(picture, path)
    if picture.mode == "P":
        return cast("Levels", cv2.LUT(np.asarray(picture), _grey_of_each_index(picture)))
    return np.asarray(picture if picture.mode == "L" else convert_opaque(picture, "L"))


def _grey_of_each_index(picture: Picture) -> NDArray[np.uint8]:
    """What Pillow makes of a palette, of 256 pixels instead of millions: it is slow at that."""
    indices = picture.crop((0, 0, 256, 1))
    indices.putdata(range(256))
    return np.asarray(convert_opaque(indices, "L"))


def _scaled(level: int, highest: int) -> int:
    """A grey value of 8 bits as one of a file whose highest value is `highest`: what is above it is so in 8 bits."""
    return level if highest <= 255 else level << 8 | 255


def _split(levels: Levels, highest: int) -> Mask | None:
    """The mask of a file that holds nothing but 0 and its highest value; None for any other."""
    mask: Mask = levels == max(highest, 1)
    return mask if cv2.countNonZero(levels) == cv2.countNonZero(mask.view(np.uint8)) else None


def _binary(levels: Levels, path: Path, *, lossy: bool) -> Mask:
    highest = int(levels.max())
    mask = _split(levels, highest) if highest in (0, *_FULL) else None
    if mask is None:
        raise BadFile(path, f"the mask is not binary: {_describe(levels, lossy=lossy)}")
    return mask


def _describe(levels: Levels, *, lossy: bool) -> str:
    """What a mask that is not binary holds, and what can be done about it."""
    values = _values(levels)
    text = _list_values(values, lossy=lossy)
    shift = 0 if values[-1] <= 255 else 8
    low, high = values[0] >> shift, values[-1] >> shift
    if low == high:
        return text
    middle = FOREGROUND_ABOVE if low <= FOREGROUND_ABOVE < high else (low + high) // 2
    return f"{text}; --binarise-at {middle} takes what is above as lesion"


def _values(levels: Levels) -> list[int]:
    """The values that occur, in rising order."""
    size = np.iinfo(levels.dtype).max + 1
    return np.flatnonzero(cv2.calcHist([levels], [0], None, [size], [0, size])).tolist()


def _list_values(values: list[int], *, lossy: bool) -> str:
    if len(values) == 1:
        return f"its one grey value is {values[0]}"
    if len(values) <= 4:
        return f"it holds the grey values {', '.join(map(str, values[:-1]))} and {values[-1]}"
    cause = "JPEG is lossy" if lossy else "anti-aliased?"
    return f"it holds {len(values)} grey values from {values[0]} to {values[-1]} ({cause})"


def _opaque(picture: Picture) -> Mask:
    drawn = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    return np.asarray(drawn.getchannel("A")) > 0


def _contradicts(opaque: Mask, mask: Mask) -> bool:
    """Whether lesion is transparent, or was drawn by transparency alone: white on transparent black is neither."""
    return bool(mask[~opaque].any() or (not mask.any() and opaque.any() and not opaque.all()))
