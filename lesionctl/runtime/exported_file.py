"""A model in a file of another runtime (ONNX, OpenVINO IR, torch.export): its two forms, and what it says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from lesionctl import __version__
from lesionctl.errors import BadFile
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INPUT = "image"
"""Whole: uint8 `[N, size, size, 3]`, RGB. Raw: float32 `[N, 3, size, size]`, normalised. N is free."""

OUTPUT = "probability"
"""Of the whole form: float32 `[N, size, size]`, in [0, 1]."""

RAW_OUTPUT = "logits"
"""Of the raw form: float32 `[N, 1, size, size]`; the probability is their sigmoid."""

SOURCE_KEY = f"{METADATA_KEY}.source"
"""Under this name the metadata hold the SHA-256, in hex, of the model file that the file was made from."""

FORM_KEY = f"{METADATA_KEY}.form"
"""Under this name the metadata hold the `Form`."""

PRECISION_KEY = f"{METADATA_KEY}.precision"
"""Under this name the metadata hold the number format of the file: fp32, fp16, bf16 or int8."""

KEYS = (METADATA_KEY, SOURCE_KEY, FORM_KEY, PRECISION_KEY)
"""What `read_facts` reads."""


class Form(StrEnum):
    """What goes in and out."""

    WHOLE = "whole"
    """Pictures of bytes in, probabilities out: normalisation and sigmoid are inside."""
    RAW = "raw"
    """Normalised pictures in, logits out: the network alone."""


class ExportedFacts(NamedTuple):
    """What such a file says of itself.

    Attributes:
        spec: How the model is used.
        source: SHA-256 of the model file that it was made from, in hex; empty where it does not say.
        precision: Its number format; fp32 where it does not say.
    """

    spec: ModelSpec
    source: str
    precision: str


def write_facts(spec: ModelSpec, form: Form, precision: str, source: str) -> dict[str, str]:
    """The metadata of a file: the spec for this program, and plain entries for everyone else.

    Args:
        spec: How the model is used.
        form: What goes in and out.
        precision: Number format of the file.
        source: SHA-256 of the model file that it is made from, in hex; empty where there is none.

    Returns:
        Entries by name. All names but `lesionctl` begin with `lesionctl.`; lists and tables are JSON.
    """
    side = spec.size
    whole = form is Form.WHOLE
    plain = {
        "version": __version__,
        "name": spec.name,
        "licence": spec.licence,
        "form": form.value,
        "precision": precision,
        "input": f"uint8 [N, {side}, {side}, 3], RGB" if whole else f"float32 [N, 3, {side}, {side}], RGB, normalised",
        "output": f"float32 [N, {side}, {side}], probability" if whole else f"float32 [N, 1, {side}, {side}], logits",
        "size": str(side),
        "resize": spec.resize.value,
        "mean": json.dumps(spec.mean),
        "std": json.dumps(spec.std),
        "threshold": str(spec.threshold),
        "postprocess": json.dumps(asdict(spec.postprocess)),
        "labels": json.dumps({"0": "background", "1": "lesion"}),
        "source": source,
    }
    return {METADATA_KEY: spec.to_json(), **{f"{METADATA_KEY}.{name}": value for name, value in plain.items()}}


def read_facts(path: Path, metadata: Mapping[str, str]) -> ExportedFacts:
    """Read the metadata of a file, as the runtime that opened it gives them.

    Args:
        path: The file, for the error.
        metadata: Its entries.

    Raises:
        BadFile: They do not say how the model is used, or it is of the raw form, which is for other programs.
    """
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise BadFile(path, "does not say how it is used", hint="write it with: lesionctl export MODEL --to onnx")
    if metadata.get(FORM_KEY) == Form.RAW:
        raise BadFile(
            path,
            "is of the raw form (normalised numbers in, logits out), which is for other programs",
            hint="write it again without --raw",
        )
    try:
        return ExportedFacts(
            ModelSpec.from_json(text), metadata.get(SOURCE_KEY, ""), metadata.get(PRECISION_KEY, "fp32")
        )
    except ValueError as error:
        raise BadFile(path, f"cannot be used: {error}") from error
