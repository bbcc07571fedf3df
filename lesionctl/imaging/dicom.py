"""DICOM files of photographs: the first frame in RGB, without a look at the patient's data."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit

from lesionctl.errors import BadFile
from lesionctl.imaging.opening import check_size, open_picture

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

_PICTURES_INSIDE = frozenset({JPEGBaseline8Bit, JPEG2000Lossless, JPEG2000})
_COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_GREYS = frozenset({"MONOCHROME1", "MONOCHROME2"})


def decode_dicom(content: bytes, path: Path) -> Image:
    """The picture in the content of a DICOM file.

    Args:
        content: The file's bytes.
        path: Its name, for messages.

    Returns:
        uint8 `[H, W, 3]`: the first frame; the bits that are stored are scaled to 8, greys after the file's own
        look-up tables and window.

    Raises:
        BadFile: It holds no picture, one that is too large, or colours of a kind that cannot be read.
        Exception: Anything, where the file is damaged or compressed in a way that no installed package undoes.
    """
    header = pydicom.dcmread(io.BytesIO(content), specific_tags=_TAGS)
    _check_header(header, path)
    kind = header.PhotometricInterpretation
    if kind in _COLOURS:
        return _to_8_bits(pixel_array(header, index=0), 0, 2**header.BitsStored - 1)
    if kind == "PALETTE COLOR":
        coloured = apply_color_lut(pixel_array(header, index=0), header)
        return _to_8_bits(coloured, 0, 2 ** header.RedPaletteColorLookupTableDescriptor[2] - 1)
    if kind in _GREYS:
        shown = apply_voi_lut(apply_modality_lut(pixel_array(header, index=0), header), header)
        grey = _to_8_bits(shown, *_shown_range(header))
        return cast("Image", cv2.cvtColor(~grey if kind == "MONOCHROME1" else grey, cv2.COLOR_GRAY2RGB))
    raise BadFile(path, f"a DICOM file with colours of a kind that cannot be read ({kind})")


def _check_header(header: Dataset, path: Path) -> None:
    """Refuse what would end in wrong pixels, or in more than there is memory for."""
    if "PixelData" not in header:
        raise BadFile(path, "a DICOM file that holds no picture, or is cut off before it")
    check_size(path, header.Columns, header.Rows)
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        raise BadFile(path, "a DICOM file whose pixels are stored in an unknown way")
    if syntax in _PICTURES_INSIDE:
        frame = get_frame(header.PixelData, 0, number_of_frames=int(header.get("NumberOfFrames") or 1))
        with open_picture(frame, path) as picture:
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
