"""What could stand for a value: its metavar says it, the same that the help shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lesionctl.cli.documents.program import Command, Parameter
from lesionctl.paths import encoders_directory

PICTURES = (
    *("jpg", "jpeg", "jfif", "png", "tif", "tiff", "bmp", "gif", "webp", "jp2"),
    *("heic", "heif", "hif", "avif"),
    *("dcm", "dicom"),
)
"""Endings of pictures. `lesionctl.imaging` has them too, but importing it takes longer than a person waits for TAB."""

MODELS = ("safetensors", "onnx", "xml", "pt2")

ENCODERS = (
    *("convnext_nano", "convnext_tiny", "densenet121", "edgenext_small", "efficientnet_b0", "efficientnet_b3"),
    *("efficientnetv2_rw_s", "fastvit_t8", "ghostnet_100", "hrnet_w18", "mobilenetv3_large_100"),
    *("mobilenetv4_conv_small", "mobilenetv4_conv_medium", "mobileone_s0", "regnety_008", "regnety_032", "repvit_m1"),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d", "seresnet50", "tf_efficientnet_b0"),
    *("tf_efficientnet_b3", "tf_efficientnet_lite0", "tf_efficientnet_lite3", "tf_efficientnetv2_s"),
    *("tiny_vit_11m_224", "vgg16_bn"),
)
"""Encoders that are often taken; timm has hundreds more, and a list that takes seconds to make."""

FILES, DIRECTORIES = "files", "directories"
_FILE_OF_A_KIND = re.compile(r"(?:FILE)?\.([a-z]+)")


@dataclass(frozen=True)
class Word:
    """A word that could come next, with what it means."""

    text: str
    meaning: str = ""


@dataclass(frozen=True)
class Files:
    """The shell's own completion of files, or of directories alone, could come next.

    Attributes:
        kind: `FILES` or `DIRECTORIES`.
        endings: The endings of the files that are meant, without a dot; empty: all.
    """

    kind: str = FILES
    endings: tuple[str, ...] = ()


def values_of(parameter: Parameter, program: Command) -> Iterator[Word | Files]:
    """What a parameter takes, as far as it can be listed.

    Args:
        parameter: Of one of the program's commands.
        program: The whole, whose commands can be what is taken.
    """
    if parameter.choices:
        yield from map(Word, parameter.choices)
        return
    bare = parameter.metavar.replace("...", "")
    words = [word for part in bare.replace("NAME[:PART]", "SET").split() for word in part.strip("[]").split("|")]
    endings: list[str] = []
    for word in words:
        kind = _FILE_OF_A_KIND.fullmatch(word)
        if kind:
            endings.append(kind[1])
        elif word == "COMMAND":
            yield from (Word(command.name, command.summary) for command in program.commands)
        elif word in _BY_NAME:
            yield from _BY_NAME[word]()
        elif word and word == word.lower():
            yield Word(word)
    if endings:
        yield Files(endings=tuple(endings))


def _models() -> Iterator[Word | Files]:
    from lesionctl.runtime.load import bundled_models

    yield from (Word(name, "bundled model") for name in bundled_models())
    yield Files(endings=MODELS)


def _encoders() -> Iterator[Word | Files]:
    fetched = sorted(file.stem for file in encoders_directory().glob("*.safetensors"))
    yield from (Word(name, "fetched encoder") for name in fetched)
    yield from (Word(name) for name in ENCODERS if name not in fetched)


def _sets() -> Iterator[Word | Files]:
    from lesionctl.fetch.catalog import BUNDLED_CATALOG, WHOLE, load_catalog

    for entry in load_catalog(BUNDLED_CATALOG).values():
        yield Word(entry.name, entry.title)
        yield from (Word(f"{entry.name}:{part}", f"{part} of {entry.title}") for part in entry.splits if part != WHOLE)


def _topics() -> Iterator[Word | Files]:
    from lesionctl.cli.documents.topics import TOPICS

    yield from (Word(topic.name, topic.summary) for topic in TOPICS.values())


def _sources() -> Iterator[Word | Files]:
    yield from _sets()
    yield Files(endings=("csv",))


_BY_NAME: dict[str, Callable[[], Iterator[Word | Files]]] = {
    "FILE": lambda: iter([Files()]),
    "PATH": lambda: iter([Files()]),
    "CSV": lambda: iter([Files(endings=("csv",))]),
    "DIR": lambda: iter([Files(DIRECTORIES)]),
    "STORE": lambda: iter([Files(DIRECTORIES)]),
    "INPUT": lambda: iter([Files(endings=PICTURES)]),
    "MODEL": _models,
    "ENCODER": _encoders,
    "SET": _sets,
    "TOPIC": _topics,
    "SOURCE": _sources,
}
