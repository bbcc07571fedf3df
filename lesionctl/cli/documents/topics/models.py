"""Topic: the bundled models, and model files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lesionctl.cli.documents.blocks import Block, Example, Heading, Item, Paragraph
from lesionctl.cli.documents.program import Command
from lesionctl.cli.documents.topics.attributes import attributes_of
from lesionctl.paths import BUNDLED_MODELS, DEFAULT_MODEL

if TYPE_CHECKING:
    from lesionctl.nets.model_spec import ModelSpec


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    from lesionctl.nets.model_spec import ModelSpec

    return [
        Paragraph(
            "*MODEL* is a model file, a run directory of train, or the name of a bundled model; predict, eval, export "
            f"and bench take `{DEFAULT_MODEL}` where none is named, and train starts from it. Where several may be "
            "named, or a folds directory of `train --folds`, their probabilities are averaged. predict, eval and bench "
            "take exported files too: `.onnx`, `.xml` of OpenVINO, `.pt2` of torch."
        ),
        Heading("Bundled models"),
        *(Item(f"`{name}`", tuple(_tell(spec))) for name, spec in _bundled()),
        Heading("Backends"),
        Paragraph(
            "torch runs model files. onnxruntime and OpenVINO, faster on most processors, come with `lesionctl[onnx]` "
            "and `lesionctl[openvino]`; --backend auto takes the fastest that is installed and needs no conversion. "
            "An `.onnx` beside its model file, of the same name, runs in its place on the CPU; one in int8 only where "
            "it is named. A `.pt2` can run code when it is loaded: take such files only from people you trust."
        ),
        Heading("Fine-tuning"),
        Paragraph(
            "train keeps the network and starts from the weights of --init. It refuses to start from a model that has "
            "seen the validation pictures, unless --allow-seen marks the scores; eval likewise refuses test pictures "
            "that a model, or one that it started from, has learned from. The licence of the weights you start from "
            "holds for what comes of them: say it with --licence."
        ),
        Example("lesionctl train demo.store --out run --epochs 10", f"from {DEFAULT_MODEL}"),
        Example("lesionctl train demo.store --out again --init run/model.safetensors", "from a model of your own"),
        Heading("Model file"),
        Paragraph(
            "One `.safetensors` holds the weights, and in its metadata all that is needed to use them. It needs no "
            "code beside it, and loading it runs no code. `lesionctl export --json` prints some of this:"
        ),
        *(Item(f"`{name}`", (about,)) for name, about in attributes_of(ModelSpec, none="absent").items()),
    ]


def _bundled() -> Iterator[tuple[str, ModelSpec]]:
    """The bundled models by their names, as their files have it: their headers alone are read."""
    import safetensors

    from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
    from lesionctl.runtime.load import bundled_models

    for name in bundled_models():
        with safetensors.safe_open(BUNDLED_MODELS / f"{name}.safetensors", framework="numpy") as file:
            yield name, ModelSpec.from_json(file.metadata()[METADATA_KEY])


def _tell(spec: ModelSpec) -> Iterator[str]:
    encoder = getattr(spec.net, "encoder", "")
    yield f"{spec.net.arch.label}{encoder and f' over {encoder}'}."
    yield (
        f"Pictures are brought to {spec.size} × {spec.size} pixels ({spec.resize}); threshold {spec.threshold:g}, "
        f"then: {spec.postprocess.describe()}."
    )
    yield f"It learned from {spec.training_data}."
    yield f"Licence of the weights: {spec.licence}."
