"""Damaged picture files through the whole of prediction: `python tests/fuzzing.py FOLDER --count 5000 --seed 0`.

It is a program of its own, so that a decoder that dies takes no test run with it: the file at fault is then the first
in FOLDER/pictures that FOLDER/outcomes.jsonl does not name.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import struct
import time
from pathlib import Path

os.environ["SLURM_CPUS_PER_TASK"] = "1"

import numpy as np
from PIL import Image as Pillow
from PIL import features

from lesionctl.dataset.inputs import find_inputs
from lesionctl.errors import Failure
from lesionctl.imaging.decode import IMAGE_SUFFIXES
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.predict.jobs import Outputs, plan_jobs
from lesionctl.predict.predict import Wishes, predict
from lesionctl.runtime.segmenter import Segmenter

HEIGHT, WIDTH = 43, 59  # no byte of a header is one of them by chance
BATCH = 8

_WAYS_TO_WRITE_A_SIZE = (">H", "<H", ">I", "<I")
_ABSURD = (0, 1, 2, 255, 4096, 16_000, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion."""

    backend = "none"
    parameters = 0
    digest = "0" * 64

    def __init__(self) -> None:
        self.spec = ModelSpec(UNetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, name="dark")

    def forward(self, batch):
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


def drawn():
    """A dark disc on noisy skin, uint8 `[43, 59, 3]`."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.full((HEIGHT, WIDTH, 3), (225, 180, 160), np.uint8)
    image[np.hypot(y - 20, x - 30) < 12] = (90, 45, 40)
    return image + np.random.default_rng(0).integers(0, 20, image.shape, np.uint8)


def encoded(picture, kind, **options):
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def valid_files():
    """A small file of each kind that can be read, by a name for the kind."""
    rgb = Pillow.fromarray(drawn())
    grey, palette = rgb.convert("L"), rgb.quantize(16)
    deep = Pillow.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    files = {
        "jpeg": encoded(rgb, "JPEG", exif=exif),
        "jpeg-progressive": encoded(rgb, "JPEG", progressive=True),
        "jpeg-grey": encoded(grey, "JPEG"),
        "jpeg-cmyk": encoded(rgb.convert("CMYK"), "JPEG"),
        "mpo": encoded(rgb, "MPO", save_all=True, append_images=[rgb]),
        "png": encoded(rgb, "PNG", exif=exif),
        "png-alpha": encoded(rgb.convert("RGBA"), "PNG"),
        "png-palette": encoded(palette, "PNG", transparency=1),
        "png-1-bit": encoded(rgb.convert("1"), "PNG"),
        "png-16-bit": encoded(deep, "PNG"),
        "tiff": encoded(rgb, "TIFF", exif=exif),
        "tiff-lzw": encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiff-deflate": encoded(rgb.convert("CMYK"), "TIFF", compression="tiff_adobe_deflate"),
        "tiff-jpeg": encoded(rgb, "TIFF", compression="jpeg"),
        "tiff-fax": encoded(rgb.convert("1"), "TIFF", compression="group4"),
        "tiff-16-bit": encoded(deep, "TIFF"),
        "tiff-palette": encoded(palette, "TIFF"),
        "bmp": encoded(rgb, "BMP"),
        "bmp-palette": encoded(palette, "BMP"),
        "gif": encoded(palette, "GIF"),
        "gif-moving": encoded(palette, "GIF", save_all=True, append_images=[rgb.rotate(90)]),
        "webp": encoded(rgb, "WEBP", exif=exif),
        "webp-lossless": encoded(rgb.convert("RGBA"), "WEBP", lossless=True),
        "webp-moving": encoded(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)]),
        "jpeg-2000": encoded(rgb, "JPEG2000"),
        "jpeg-2000-16-bit": encoded(deep, "JPEG2000"),
        "ppm": encoded(rgb, "PPM"),
    }
    if "avif" in features.get_supported():
        files["avif"] = encoded(rgb, "AVIF", exif=exif)
    return files | _heif_files(rgb) | _dicom_files(rgb, grey)


def _heif_files(rgb):
    try:
        import pillow_heif
    except ImportError:
        return {}
    content, several = io.BytesIO(), io.BytesIO()
    pillow_heif.from_pillow(rgb).save(content)
    file = pillow_heif.from_pillow(rgb.convert("RGBA"))
    file.add_from_pillow(rgb.rotate(90))
    file.save(several)
    return {"heic": content.getvalue(), "heic-several": several.getvalue()}


def _dicom_files(rgb, grey):
    try:
        import pydicom
        from pydicom import uid
        from pydicom.encaps import encapsulate
    except ImportError:
        return {}

    def saved(picture, kind, syntax, data):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = syntax
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = uid.VLPhotographicImageStorage
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        header.Rows, header.Columns, header.SamplesPerPixel = HEIGHT, WIDTH, len(picture.getbands())
        header.PlanarConfiguration = header.PixelRepresentation = 0
        header.PhotometricInterpretation = kind
        header.BitsAllocated = header.BitsStored = 8
        header.HighBit = 7
        header.PixelData = data
        header["PixelData"].VR = "OB"
        content = io.BytesIO()
        pydicom.dcmwrite(content, header, enforce_file_format=True)
        return content.getvalue()

    jpeg, j2k = encapsulate([encoded(rgb, "JPEG")]), encapsulate([encoded(rgb, "JPEG2000", no_jp2=True)])
    padded = grey.tobytes() + bytes(HEIGHT * WIDTH % 2)
    return {
        "dicom": saved(rgb, "RGB", uid.ExplicitVRLittleEndian, rgb.tobytes() + bytes(HEIGHT * WIDTH * 3 % 2)),
        "dicom-grey": saved(grey, "MONOCHROME2", uid.ImplicitVRLittleEndian, padded),
        "dicom-jpeg": saved(rgb, "YBR_FULL_422", uid.JPEGBaseline8Bit, jpeg),
        "dicom-jpeg-2000": saved(rgb, "RGB", uid.JPEG2000Lossless, j2k),
    }


def flip_bits(content, rng, others):
    damaged = bytearray(content)
    for place in rng.integers(0, len(content), rng.integers(1, 20)):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def garble_the_header(content, rng, others):
    damaged = bytearray(content)
    for place in rng.integers(0, min(300, len(content)), rng.integers(1, 4)):
        damaged[place] = int(rng.integers(256))
    return bytes(damaged)


def cut(content, rng, others):
    return content[: rng.integers(0, len(content))]


def cut_a_piece_out(content, rng, others):
    start, end = sorted(rng.integers(0, len(content), 2))
    return content[:start] + content[end:]


def zero_a_stretch(content, rng, others):
    start, end = sorted(rng.integers(0, len(content), 2))
    return content[:start] + bytes(end - start) + content[end:]


def repeat_a_stretch(content, rng, others):
    start, end = sorted(rng.integers(0, len(content), 2))
    return content[:end] + content[start:end] * int(rng.integers(1, 50)) + content[end:]


def append_garbage(content, rng, others):
    return content + rng.bytes(int(rng.integers(1, 5000)))


def give_it_another_header(content, rng, others):
    other = others[rng.integers(len(others))]
    length = int(rng.integers(4, 200))
    return other[:length] + content[length:]


def put_a_file_within(content, rng, others):
    other, place = others[rng.integers(len(others))], int(rng.integers(len(content)))
    return content[:place] + other + content[place:]


def claim_an_absurd_size(content, rng, others):
    places = []
    for way in _WAYS_TO_WRITE_A_SIZE:
        for side in (HEIGHT, WIDTH):
            place = content.find(struct.pack(way, side))
            while place >= 0:
                places.append((place, way))
                place = content.find(struct.pack(way, side), place + 1)
    damaged = bytearray(content)
    for choice in rng.integers(0, len(places), rng.integers(1, 3)) if places else ():
        place, way = places[choice]
        value = _ABSURD[rng.integers(len(_ABSURD))] & (2 ** (8 * struct.calcsize(way)) - 1)
        damaged[place : place + struct.calcsize(way)] = struct.pack(way, value)
    return bytes(damaged)


MUTATIONS = (
    flip_bits,
    garble_the_header,
    cut,
    cut_a_piece_out,
    zero_a_stretch,
    repeat_a_stretch,
    append_garbage,
    give_it_another_header,
    put_a_file_within,
    claim_an_absurd_size,
)


def write_pictures(folder, count, seed):
    """Write the valid files, then `count` damaged ones, each under a suffix that is its own or any other."""
    files = valid_files()
    kinds, contents, suffixes = list(files), list(files.values()), sorted(IMAGE_SUFFIXES)
    folder.mkdir(parents=True)
    for kind, content in files.items():
        (folder / f"0-{kind}.jpg").write_bytes(content)
    rng = np.random.default_rng(seed)
    for number in range(count):
        index = number % len(kinds)
        content = contents[index]
        names = []
        for _ in range(1 if rng.random() < 0.8 else 2):
            mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
            names.append(mutation.__name__)
            content = mutation(content, rng, contents) if content else content
        suffix = suffixes[rng.integers(len(suffixes))]
        (folder / f"{number + 1:05}-{kinds[index]}-{'-'.join(names)}{suffix}").write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_pictures(options.folder / "pictures", options.count, options.seed)
    inputs = find_inputs([str(options.folder / "pictures")])
    jobs = plan_jobs(inputs, options.folder / "masks", Outputs(overlay=True, probabilities=True))
    wishes = Wishes(polygons=True, thumbnail=True)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (options.folder / "outcomes.jsonl").open("w") as outcomes:
        for start in range(0, len(jobs), BATCH):
            started = time.process_time()
            some = list(predict(DarkIsLesion(), jobs[start : start + BATCH], wishes, batch_size=BATCH))
            seconds = time.process_time() - started
            for job, outcome in zip(jobs[start : start + BATCH], some, strict=True):
                row = {"image": str(job.image), "mask": str(job.mask), "seconds": seconds}
                row["files"] = [str(file) for file in job.files]
                if isinstance(outcome, Failure):
                    row |= {"reason": outcome.reason, "failed": str(outcome.path)}
                else:
                    row |= {"width": outcome.prediction.width, "height": outcome.prediction.height}
                outcomes.write(json.dumps(row) + "\n")
            outcomes.flush()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024
    (options.folder / "summary.json").write_text(json.dumps({"megabytes": grown}))


if __name__ == "__main__":
    main()
