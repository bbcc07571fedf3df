"""Topic: what is read, and what is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lesionctl.cli.completion.values import PICTURES
from lesionctl.cli.documents.blocks import Block, Heading, Item, Paragraph
from lesionctl.cli.documents.program import Command
from lesionctl.cli.documents.topics.attributes import attributes_of

RUN = {
    "model.safetensors": "The model: the weights of the best epoch.",
    "last.safetensors": "The weights of the last epoch, to go on from.",
    "config.toml": "The resolved options, which --config takes back.",
    "plan.toml": "With --auto: what was chosen, and why.",
    "environment.json": "Machine, libraries and devices.",
    "log.jsonl": "What happened, a line for each event, with its time in UTC.",
    "metrics.csv": "A row for each epoch, with every figure.",
    "curves.png": "The same as curves, with `lesionctl[plot]`.",
    "overlays/": "Sheets of validation pictures with the true and the predicted outline.",
    "tensorboard/": "With --tensorboard: the same figures for TensorBoard.",
    "state.pt, state.previous.pt": "What an interrupted training goes on from.",
}
"""What `train --out` writes."""

STORE = {
    "images.npy": "Pictures, uint8 [N, size, size, 3], RGB.",
    "masks.npy": "Masks of the same squares, bool [N, size, size].",
    "native_masks.bin, native_masks.npy": "The masks at their own size, packed, and where each begins.",
    "samples.csv": "The manifest: a row for each picture, with its split and the SHA-256 of its files.",
    "store.json": "Size, resize rule, seed, folds and the digest of data and split.",
    "audit.csv": "What was found in the files.",
    "fingerprint.csv, fingerprint.json": "Sizes, lesion fractions, colours and skin tones of the pictures.",
    "config.toml": "The options that it was made with, which --config takes back.",
    "audit.html": "With --html: the findings with thumbnails.",
}
"""What `prepare --out` writes."""


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    return [*_read(), *_predicted(), *_prepared(), *_trained(), *_scored(), *_exported()]


def _read() -> Iterator[Block]:
    from lesionctl.imaging.opening import MAX_PIXELS, MAX_SIDE

    yield Heading("Pictures that are read")
    yield Paragraph(
        "JPEG, PNG, TIFF, BMP, GIF, WebP and JPEG 2000: grey, 16-bit, palette, CMYK and with alpha, turned upright as "
        "EXIF says, as 8-bit RGB; HEIC and AVIF with `lesionctl[heif]`, DICOM of one frame with `lesionctl[dicom]`. In "
        f"folders, files of these endings are taken: {_typed(PICTURES)}."
    )
    yield Paragraph(
        f"No side may have more than {MAX_SIDE:,} pixels, no picture more than {MAX_PIXELS:,} (`predict --max-pixels`)."
    )
    yield Heading("Masks that are read")
    yield Paragraph(
        "Of the size of their picture, of two values: 0 and 255, 0 and 1, 1 bit, or a palette of two colours. prepare "
        "refuses others unless --binarise-at says above which grey value lesion begins; eval takes what is above 128."
    )


def _predicted() -> Iterator[Block]:
    from lesionctl.imaging.masks import MASK_SUFFIX, PROBABILITIES_SUFFIX
    from lesionctl.imaging.overlay import OVERLAY_SUFFIX
    from lesionctl.predict.records import MEANINGS
    from lesionctl.predict.review import Flag

    yield Heading("What predict writes")
    yield Item(f"`X{MASK_SUFFIX}`", ("The mask of `X.jpg`, of its upright size: PNG, 0 and 255, 8 bits or 1.",))
    yield Item(f"`X{OVERLAY_SUFFIX}`", ("With --overlay: the picture with the outline.",))
    yield Item(f"`X{PROBABILITIES_SUFFIX}`", ("With --probabilities: 16-bit PNG, 0 to 65535 for 0 to 1.",))
    yield Item(
        "--polygons *FILE*",
        (
            "COCO instance segmentation: `images` with `file_name`, `mask`, `width` and `height`, and for each in "
            "which a lesion was found one of `annotations` with `segmentation`, `area` and `bbox`, in pixels.",
        ),
    )
    yield Item("--contact-sheet *FILE*", ("A PNG of small pictures with outlines, those to be looked at first.",))
    yield Heading("Columns of --csv, keys of --jsonl", lower=True)
    for names, meaning in MEANINGS.items():
        yield Item(_typed(names), (meaning[0].upper() + meaning[1:] + ".",))
    yield Paragraph(f"Flags: {', '.join(Flag)}. In CSV, several values are joined by `; `, and what is null is empty.")


def _prepared() -> Iterator[Block]:
    from lesionctl.dataset.samples import Sample
    from lesionctl.prepare.findings import Kind, format_findings
    from lesionctl.prepare.fingerprint import format_fingerprints

    yield Heading("What prepare writes")
    yield from _files(STORE)
    yield Heading("Columns of samples.csv", lower=True)
    for name, meaning in attributes_of(Sample, none="empty").items():
        yield Item(f"`{name}`", (meaning,))
    yield Heading("Columns of audit.csv and fingerprint.csv", lower=True)
    yield Paragraph(f"audit.csv: {_columns(format_findings([]))}. Findings: {', '.join(Kind)}.")
    yield Paragraph(f"fingerprint.csv: {_columns(format_fingerprints([], []))}.")


def _trained() -> Iterator[Block]:
    yield Heading("What train writes")
    yield from _files(RUN)
    yield Paragraph(
        "With --folds: such a directory for each, `fold-0`, `fold-1` and so on, `cross-validation.csv` with a row for "
        "each fold and `out-of-fold.csv` with a row for each picture."
    )


def _scored() -> Iterator[Block]:
    from lesionctl.evaluate.cases import BEFORE_FACTS, COUNTS
    from lesionctl.scoring.figures import NAMES, figure
    from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES

    yield Heading("What eval writes")
    yield Paragraph(
        f"--csv has a row for each side and picture: {_typed(BEFORE_FACTS)}, what is known of the picture, "
        f"{_typed(COUNTS)} (pixels), and its figures of overlap and boundary. --json follows a schema with a version, "
        "`evaluation.schema.json`. The figures:"
    )
    for name in (*NAMES, *(tolerance.name for tolerance in DEFAULT_TOLERANCES)):
        about = figure(name)
        yield Item(f"`{name}`", (about.definition, *([f"Unit: {about.unit}."] if about.unit else [])))


def _exported() -> Iterator[Block]:
    from lesionctl.export.formats import Format

    yield Heading("What export writes")
    for kind in Format:
        yield Item(f"--to `{kind}`", (f"`{kind.suffix}`, in {', '.join(kind.storages)}.",))


def _typed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _columns(table: str) -> str:
    return _typed(table.splitlines()[0].split(","))


def _files(files: dict[str, str]) -> Iterator[Block]:
    for names, meaning in files.items():
        yield Item(_typed(names.split(", ")), (meaning,))
