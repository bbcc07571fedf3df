"""DICOM: the one frame as it is meant to be seen, and nothing of the patient."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array

from lesionctl.errors import BadFile
from lesionctl.imaging import dicom
from lesionctl.imaging.decode import decode, decode_bytes

NAME = Path("picture.dcm")
PATIENT = "Doe^Jane"


def picture(height=24, width=32):
    """Smooth, so that JPEG keeps it: red grows to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 7, y * 10, 0 * x + 90], axis=-1).astype(np.uint8)


def greys(*values, dtype=np.uint16):
    return np.array([values], dtype)


def saved(pixels, kind="RGB", syntax=uid.ExplicitVRLittleEndian, **elements):
    """The bytes of a DICOM file that holds `pixels`, `[H, W]` or `[H, W, 3]`."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = uid.VLPhotographicImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.PatientName, data.PatientID, data.StudyDate = PATIENT, "JD-0815", "20240229"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = kind
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    content = io.BytesIO()
    pydicom.dcmwrite(content, data, enforce_file_format=True)
    return content.getvalue()


def encoded(pixels, kind, **options):
    content = io.BytesIO()
    Pillow.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def compressed(pixels, syntax, kind="YBR_FULL_422", **elements):
    frame = encoded(pixels, "JPEG2000" if syntax in uid.JPEG2000TransferSyntaxes else "JPEG")
    return saved(pixels, kind, syntax, PixelData=encapsulate([frame]), **elements)


def table(values, first=0, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = values
    item["LUTData"].VR = "US"
    return [item]


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    ],
)
def test_colours_come_out_as_they_went_in(syntax):
    decoded = decode_bytes(saved(picture(), syntax=syntax), NAME)
    np.testing.assert_array_equal(decoded.image, picture())
    assert (decoded.height, decoded.width) == (24, 32)
    assert decoded.image.dtype == np.uint8


def test_content_decides_and_not_the_suffix(tmp_path):
    path = tmp_path / "really_dicom.jpg"
    path.write_bytes(saved(picture()))
    np.testing.assert_array_equal(decode(path, at_least=8).image, picture())


def test_planes_of_colours_are_interleaved():
    planes = np.moveaxis(picture(), -1, 0).tobytes()
    content = saved(picture(), PlanarConfiguration=1, PixelData=planes)
    np.testing.assert_array_equal(decode_bytes(content, NAME).image, picture())


def test_luminance_and_chroma_become_rgb():
    ycbcr = np.asarray(Pillow.fromarray(picture()).convert("YCbCr"))
    np.testing.assert_allclose(decode_bytes(saved(ycbcr, "YBR_FULL"), NAME).image, picture(), atol=3)


@pytest.mark.parametrize(
    ("syntax", "kind"),
    [(uid.JPEGBaseline8Bit, "YBR_FULL_422"), (uid.JPEG2000Lossless, "YBR_RCT"), (uid.JPEG2000, "RGB")],
)
def test_compressed_colours_are_those_of_the_picture_inside(syntax, kind):
    image = decode_bytes(compressed(picture(), syntax, kind), NAME).image
    np.testing.assert_allclose(image.astype(int), picture(), atol=12)
    assert np.abs(image.astype(int) - picture()).mean() < 3


def test_run_lengths_are_undone():
    data = pydicom.dcmread(io.BytesIO(saved(picture())))
    data.compress(uid.RLELossless)
    content = io.BytesIO()
    data.save_as(content)
    np.testing.assert_array_equal(decode_bytes(content.getvalue(), NAME).image, picture())


@pytest.mark.parametrize(("bits", "highest"), [(16, 65535), (12, 4095), (10, 1023)])
def test_stored_bits_decide_what_is_white(bits, highest):
    pixels = np.array([[[0, highest // 2, highest]]], np.uint16)
    assert decode_bytes(saved(pixels, BitsStored=bits), NAME).image[0, 0].tolist() == [0, 127, 255]
    image = decode_bytes(saved(greys(0, highest // 2, highest), "MONOCHROME2", BitsStored=bits), NAME).image
    assert image[0].tolist() == [[0] * 3, [127] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("pixels", "elements", "expected"),
    [
        (greys(0, 100, 255, dtype=np.uint8), {}, [0, 100, 255]),
        (greys(-2048, 0, 2047, dtype=np.int16), {"BitsStored": 12}, [0, 128, 255]),
        # A slope stretches values and their range alike.
        (greys(0, 1000, 4095), {"BitsStored": 12, "RescaleSlope": 2, "RescaleIntercept": -1024}, [0, 62, 255]),
        # PS3.3 C.11.2.1.2: ((900 - 999.5) / 999 + 0.5) × 255 = 102.1
        (greys(400, 900, 3000), {"BitsStored": 12, "WindowCenter": 1000, "WindowWidth": 1000}, [0, 102, 255]),
        (greys(0, 1, 2), {"VOILUTSequence": table([0, 4095, 1024], bits=12)}, [0, 255, 64]),
        (greys(0, 1, 2), {"ModalityLUTSequence": table([0, 65535, 16384])}, [0, 255, 64]),
    ],
    ids=["8 bits", "signed", "slope", "window", "table of the view", "table of the modality"],
)
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_greys_are_shown_as_the_file_says(kind, pixels, elements, expected):
    image = decode_bytes(saved(pixels, kind, **elements), NAME).image
    expected = np.array(expected) if kind == "MONOCHROME2" else 255 - np.array(expected)
    np.testing.assert_allclose(image[0], np.repeat(expected[:, None], 3, axis=1), atol=1)


@pytest.mark.parametrize(("bits", "values"), [(8, np.uint8([0, 50, 250])), (16, np.uint16([0, 12850, 64250]))])
def test_palettes_are_looked_up(bits, values):
    tables = {}
    for colour, order in {"Red": [0, 1, 2, 0], "Green": [2, 1, 0, 0], "Blue": [1, 1, 1, 0]}.items():
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, bits]
        tables[f"{colour}PaletteColorLookupTableData"] = values[order].tobytes()
    image = decode_bytes(saved(greys(0, 1, 2, dtype=np.uint8), "PALETTE COLOR", **tables), NAME).image
    assert image[0].tolist() == [[0, 250, 50], [50, 50, 50], [250, 0, 50]]


def test_file_of_several_frames_is_refused():
    frames = np.stack([picture(), 255 - picture()])
    with pytest.raises(BadFile) as caught:
        decode_bytes(saved(picture(), NumberOfFrames=2, PixelData=frames.tobytes()), NAME)
    assert caught.value.reason == "a DICOM file of 2 frames: save the one that is meant as a file of its own"


def test_file_that_says_that_it_has_one_frame_is_read():
    np.testing.assert_array_equal(decode_bytes(saved(picture(), NumberOfFrames=1), NAME).image, picture())


def test_limit_of_pixels_can_be_moved():
    for content in (saved(picture()), compressed(picture(), uid.JPEGBaseline8Bit)):
        assert decode_bytes(content, NAME, max_pixels=768).image.shape == (24, 32, 3)
        with pytest.raises(BadFile, match=r"claims 32×24 pixels, more than the limit of 767"):
            decode_bytes(content, NAME, max_pixels=767)


def test_strips_of_a_large_picture_make_the_same_whole(monkeypatch):
    grey = np.random.default_rng(0).integers(0, 4096, (23, 31)).astype(np.uint16)
    content = saved(grey, "MONOCHROME1", BitsStored=12, WindowCenter=1000, WindowWidth=900)
    whole = decode_bytes(content, NAME).image
    monkeypatch.setattr("lesionctl.imaging.dicom._STRIP", 100)
    np.testing.assert_array_equal(decode_bytes(content, NAME).image, whole)


def without(content, *names):
    data = pydicom.dcmread(io.BytesIO(content))
    for name in names:
        del data[name]
    changed = io.BytesIO()
    data.save_as(changed)
    return changed.getvalue()


@pytest.mark.filterwarnings("ignore:End of file reached:UserWarning")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (without(saved(picture()), "PixelData"), "a DICOM file that holds no picture, or is cut off before it"),
        (saved(picture())[:400], "a DICOM file that holds no picture, or is cut off before it"),
        (saved(picture())[:-100], "the file is cut off: its end is missing"),
        (
            compressed(picture(), uid.JPEGBaseline8Bit)[:-200],
            "a DICOM file that holds no picture, or is cut off before it",
        ),
        (
            saved(picture(), Rows=60_000, Columns=60_000),
            "claims 60000×60000 pixels, more than the limit of 300,000,000",
        ),
        (saved(picture(), "HSV"), "a DICOM file with colours of a kind that cannot be read (HSV)"),
        (
            saved(greys(0, 1), "MONOCHROME2", RescaleSlope=0, RescaleIntercept=0),
            "cannot be decoded (its values go from 0.0 to 0.0)",
        ),
        (
            compressed(picture(), uid.JPEGBaseline8Bit, Rows=23),
            "a DICOM file with a picture inside that is not of the size that it says",
        ),
        (
            saved(picture()).replace(uid.ExplicitVRLittleEndian.encode(), b"1.2.333.10008.1.2.1"),
            "a DICOM file whose pixels are stored in an unknown way",
        ),
    ],
    ids=["no pixels", "no pixels left", "cut off", "JPEG cut off", "large", "HSV", "flat", "other size", "no syntax"],
)
def test_bad_file_is_named_with_its_reason(content, reason):
    with pytest.raises(BadFile) as caught:
        decode_bytes(content, NAME)
    assert caught.value.reason == reason
    assert caught.value.path == NAME


def test_compression_that_nothing_undoes_is_named():
    content = saved(picture(), syntax=uid.MPEG2MPML, PixelData=encapsulate([b"video"]))
    with pytest.raises(BadFile, match=r"MPEG2 Main Profile / Main Level' is not supported"):
        decode_bytes(content, NAME)


def test_missing_package_is_a_reason_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.delitem(sys.modules, "lesionctl.imaging.dicom")
    with pytest.raises(BadFile) as caught:
        decode_bytes(saved(picture()), NAME)
    assert caught.value.reason == (
        "a DICOM file needs the package 'pydicom', which is not installed: pip install 'lesionctl[dicom]'"
    )


def test_patients_data_is_not_read(monkeypatch):
    headers = []

    def spy(*args, **kwargs):
        headers.append(dcmread(*args, **kwargs))
        return headers[-1]

    dcmread = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", spy)
    decode_bytes(saved(picture()), NAME)
    assert {element.tag.group for element in headers[0]} == {0x0028, 0x7FE0}


FILES = {
    "plain": saved(picture()),
    "greys": saved(greys(0, 1000, 4095), "MONOCHROME1", WindowCenter=1000, WindowWidth=900),
    "JPEG": compressed(picture(), uid.JPEGBaseline8Bit),
    "JPEG 2000": compressed(picture(), uid.JPEG2000Lossless, "YBR_RCT"),
    "deflated": saved(picture(), syntax=uid.DeflatedExplicitVRLittleEndian),
}


@pytest.mark.parametrize("kind", FILES)
def test_damaged_bytes_never_raise_anything_but_a_bad_file_nor_tell_of_the_patient(kind, caplog, recwarn):
    rng = np.random.default_rng(0)
    content = np.frombuffer(FILES[kind], np.uint8)
    damaged = [content[:end] for end in rng.integers(0, len(content), 40)]
    for _ in range(100):
        damaged.append(content.copy())
        damaged[-1][rng.integers(132, min(800, len(content)), 2)] = rng.integers(0, 256, 2)
    reasons = []
    for case in damaged:
        try:
            image = decode_bytes(case.tobytes(), NAME).image
        except BadFile as error:
            reasons.append(error.reason)
        else:
            assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    told = [*reasons, caplog.text, *(str(warning.message) for warning in recwarn)]
    assert reasons
    assert not [text for text in told if "Doe" in text]


def test_a_huge_picture_waits_for_its_turn(monkeypatch):
    """By its size where it is compressed, and by the file's where it is not: reading that makes a copy of it."""
    log = []

    @contextmanager
    def turn(pixels):
        log.append(f"{pixels} begin")
        yield
        log.append(f"{pixels} end")

    def read(*arguments, **options):
        log.append("pixels")
        return pixel_array(*arguments, **options)

    monkeypatch.setattr(dicom, "one_huge_at_a_time", turn)
    monkeypatch.setattr(dicom, "pixel_array", read)
    content = saved(picture(40, 50))
    decode_bytes(content, NAME)
    of_file = len(content) // 3
    assert 2000 < of_file < 2300
    assert log == [f"{of_file} begin", "2000 begin", "pixels", "2000 end", f"{of_file} end"]


def test_a_huge_picture_in_a_huge_file_does_not_wait_for_itself(monkeypatch):
    monkeypatch.setattr("lesionctl.imaging.large.HUGE", 100)
    assert decode_bytes(saved(picture(40, 50)), NAME).image.shape == (40, 50, 3)
