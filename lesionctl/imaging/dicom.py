"""DICOM files of photographs: their one frame in RGB, without a look at the patient's data."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit

from lesionctl.errors import BadFile
from lesionctl.imaging.large import one_huge_at_a_time
from lesionctl.imaging.opening import MAX_PIXELS, check_size, open_picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom import Dataset

    from lesionctl.imaging.arrays import Image

# What tells how the pixels are stored and shown. Nothing else is read: no name, no date, no place.
_TAGS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]

# pydicom's warnings quote values, and in a damaged file a value may run on into the patient's data.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
warnings.filterwarnings("ignore", category=UserWarning, module="pydicom", append=True)

_PICTURES_INSIDE = frozenset({JPEGBaseline8Bit, JPEG2000Lossless, JPEG2000})
_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_GREYS = frozenset({"MONOCHROME1", "MONOCHROME2"})
_PALETTE = "PALETTE COLOR"


_STRIP = 2**22  # pixels that are brought to 8 bits at a time: on the way there they are floats

_BYTES_PER_PIXEL = 3  # of a photograph that is not compressed


def decode_dicom(content: bytes, path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture in the content of a DICOM file.

    Args:
        content: The file's bytes.
        path: Its name, for messages.
        max_pixels: The limit of its size.

    Returns:
        uint8 `[H, W, 3]`: the bits that are stored are scaled to 8, greys after the file's own look-up tables and
        window.

    Raises:
        BadFile: It holds no picture or several, one that is too large, or colours of a kind that cannot be read.
        Exception: Anything, where the file is damaged or compressed in a way that no installed package undoes.
    """
    with one_huge_at_a_time(len(content) // _BYTES_PER_PIXEL):  # the header has a copy of the pixels as they are stored
        header = pydicom.dcmread(io.BytesIO(content), specific_tags=_TAGS)
        _check_header(header, path, max_pixels)
        if header.PhotometricInterpretation not in _COLOURS | _GREYS | {_PALETTE}:
            kind = header.PhotometricInterpretation
            raise BadFile(path, f"a DICOM file with colours of a kind that cannot be read ({kind})")
        with one_huge_at_a_time(header.Columns * header.Rows):
            return _decode(header)


def _decode(header: Dataset) -> Image:
    stored = pixel_array(header, index=0)
    image = np.empty((*stored.shape[:2], 3), np.uint8)
    step = max(1, _STRIP // stored.shape[1])
    for top in range(0, len(stored), step):
        image[top : top + step] = _shown(stored[top : top + step], header)
    return image


def _shown(stored: NDArray[np.generic], header: Dataset) -> Image:
    kind = header.PhotometricInterpretation
    if kind in _COLOURS:
        return _to_8_bits(stored, 0, 2**header.BitsStored - 1)
    if kind == _PALETTE:
        coloured = apply_color_lut(stored, header)
        return _to_8_bits(coloured, 0, 2 ** header.RedPaletteColorLookupTableDescriptor[2] - 1)
    grey = _to_8_bits(apply_voi_lut(apply_modality_lut(stored, header), header), *_shown_range(header))
    return cast("Image", cv2.cvtColor(~grey if kind == "MONOCHROME1" else grey, cv2.COLOR_GRAY2RGB))


def _check_header(header: Dataset, path: Path, max_pixels: int) -> None:
    """Refuse what would end in wrong pixels, or in more than there is memory for."""
    if "PixelData" not in header:
        raise BadFile(path, "a DICOM file that holds no picture, or is cut off before it")
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise BadFile(path, f"a DICOM file of {frames} frames: save the one that is meant as a file of its own")
    check_size(path, header.Columns, header.Rows, max_pixels)
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        raise BadFile(path, "a DICOM file whose pixels are stored in an unknown way")
    if syntax in _PICTURES_INSIDE:
        with open_picture(get_frame(header.PixelData, 0, number_of_frames=1), path, max_pixels) as picture:
            if picture.size != (header.Columns, header.Rows):
                raise BadFile(path, "a DICOM file with a picture inside that is not of the size that it says")


def _shown_range(header: Dataset) -> tuple[float, float]:
    """What is black and what is white after the look-up tables (DICOM PS3.3 C.11.1 and C.11.2)."""
    for tables in (header.get("VOILUTSequence"), header.get("ModalityLUTSequence")):
        if tables:
            return 0, 2 ** tables[0].LUTDescriptor[2] - 1
    bits, slope, intercept = header.BitsStored, header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)
    low = -(2 ** (bits - 1)) if header.PixelRepresentation else 0
    return low * slope + intercept, (low + 2**bits - 1) * slope + intercept


def _to_8_bits(values: NDArray[np.generic], low: float, high: float) -> Image:
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return values.astype(np.uint8, copy=False)
    if not 0 < high - low < math.inf:
        raise ValueError(f"its values go from {low} to {high}")
    share = ((values.astype(np.float32) - low) / (high - low)).clip(0, 1)
    return (share * 255 + 0.5).astype(np.uint8)
