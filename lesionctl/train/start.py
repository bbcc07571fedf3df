"""What a training starts from: random or encoder weights, or a whole model; and who teaches it.

Neither the model nor a teacher may have seen the validation.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import Store, samples_digest
from lesionctl.errors import GateError
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.nets.build import build_net
from lesionctl.nets.encoders import input_statistics
from lesionctl.nets.model_file import load_model, read_model_spec
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import Arch, ClassicSpec, DeepLabV3PlusSpec, NetSpec, UNetSpec
from lesionctl.train.memory.batch_size import largest_batch_size
from lesionctl.train.sampling import learned_from
from lesionctl.train.state import saved_batch_size

if TYPE_CHECKING:
    from torch import nn

    from lesionctl.progress import Progress
    from lesionctl.runtime.device import Compute
    from lesionctl.train.distributed.ranks import Ranks
    from lesionctl.train.options import TrainOptions

_FOLD = re.compile(r"fold-\d+")
_HALF = (0.5, 0.5, 0.5)  # mean and deviation where no weights ask for others: pixels become numbers from -1 to 1


class Start(NamedTuple):
    """The beginning of a training.

    Attributes:
        spec: How the network is used, and all that it will have seen at the end.
        net: The network, float32, on the CPU.
        seen: How many pictures of the validation split its ancestors have seen, teachers included; None where there are
            none, or they do not say.
    """

    spec: ModelSpec
    net: nn.Module
    seen: SeenCount | None


def start(options: TrainOptions, store: Store, progress: Progress) -> Start:
    """The network to begin with.

    Args:
        options: How to train.
        store: What to train on.
        progress: Hears a warning where an ancestor or a teacher has seen the validation split, does not say what it has
            seen, or knows pictures in other proportions.

    Raises:
        GateError: An ancestor or a teacher has seen pictures of the validation split, and `options` do not allow that.
        BadFile: The file of one of them cannot be used.
        UsageError: There is no such encoder.
    """
    learned = [sample for sample in store.samples if learned_from(sample, options)]
    digest, exposure = samples_digest(learned), Exposure.of(learned)
    seen = check_ancestors(options, store, progress)
    if options.init:
        ancestor, net = load_model(Path(options.init))
        spec = replace(
            ancestor,
            size=options.size,
            resize=store.info.resize,
            threshold=0.5,
            postprocess=Postprocess(),
            name=options.name,
            licence=f"{options.licence}; its first weights: {ancestor.licence}",
            training_data=f"{options.training_data}; before that: {ancestor.training_data}",
            training_digest=digest,
            ancestors=(*ancestor.ancestors, ancestor.training_digest),
            seen=exposure | ancestor.seen,
            familiar=None,
            confidence_limit=None,
            scores={},
        )
        return Start(_taught(spec, options), net, seen)
    net_spec = describe_net(options)
    mean, std = (_HALF, _HALF) if isinstance(net_spec, ClassicSpec) else input_statistics(net_spec.encoder)
    spec = ModelSpec(
        net=net_spec,
        size=options.size,
        mean=mean,
        std=std,
        resize=store.info.resize,
        name=options.name,
        licence=options.licence,
        training_data=options.training_data,
        training_digest=digest,
        seen=exposure,
    )
    net = build_net(net_spec, None if options.encoder_weights == "none" else options.encoder_weights)
    return Start(_taught(spec, options), net, seen)


def check_ancestors(options: TrainOptions, store: Store, progress: Progress) -> SeenCount | None:
    """See that neither the model to start from nor a teacher has seen the validation split.

    Epoch and threshold would be chosen too high on pictures that the weights have learned already, or that somebody
    who has learned them speaks of.

    Args:
        options: Which models these are, and whether they may have seen it.
        store: What to train on, at its fold.
        progress: See `start`.

    Returns:
        How many of these pictures they have seen between them; None where there are no such models, or nothing is known
        of what they have seen.

    Raises:
        GateError: See `start`.
        BadFile: See `start`.
    """
    validation = [sample for sample in store.samples if sample.split is Split.VALIDATION]
    specs = {file: read_model_spec(Path(file)) for file in (options.init, *options.teacher) if file}
    for file, spec in specs.items():
        if not spec.seen.complete:
            progress.warn(
                f"{file} does not say all that it has seen in training: whether the validation split is new to it "
                "cannot be checked"
            )
        count = spec.seen.count(validation)
        if count is not None and count.pictures:
            _refuse_or_warn(file, count, options, progress)
    for file in options.teacher:
        if specs[file].resize is not store.info.resize:
            progress.warn(
                f"{file} knows pictures that were made square by '{specs[file].resize}', those of {store.path} were by "
                f"'{store.info.resize}': it may teach what is wrong"
            )
    return reduce(or_, (spec.seen for spec in specs.values()), Exposure()).count(validation)


def describe_net(options: TrainOptions) -> NetSpec:
    """The network that a training without an ancestor begins with."""
    if options.arch is Arch.CLASSIC:
        return ClassicSpec(options.widths)
    if options.arch is Arch.DEEPLABV3PLUS:
        return DeepLabV3PlusSpec(options.encoder, options.output_stride)
    return UNetSpec(options.encoder, options.decoder_channels, options.decoder_stride)


def fit_batch_size(
    options: TrainOptions, spec: ModelSpec, compute: Compute, state: Path, ranks: Ranks, progress: Progress
) -> TrainOptions:
    """The options with the largest batch size that fits in every process; a run that goes on keeps the one it has.

    Raises:
        UsageError: Not even one picture fits.
        BadFile: The state to go on from is damaged.
    """
    saved = ranks.gather(saved_batch_size(state, progress))
    if saved[0] is not None:
        return replace(options, batch_size=saved[0])
    fit = largest_batch_size(options, spec, compute)
    size = min(ranks.gather(fit.batch_size))
    progress.say(f"batch size {size} ({fit.describe()})")
    return replace(options, batch_size=size)


def remark_on(seen: SeenCount | None) -> str:
    """What must be said beside every figure of the validation split; nothing where its ancestor saw none of it."""
    return f"{seen.pictures} of {seen.of} pictures seen by its ancestor" if seen and seen.pictures else ""


def _refuse_or_warn(file: str, count: SeenCount, options: TrainOptions, progress: Progress) -> None:
    """A model has seen validation pictures."""
    seen = f"{file} has seen {count.pictures} of the {count.of} pictures of the validation split in training"
    if options.allow_seen:
        progress.warn(f"{seen} ({count.reasons()}): the scores are marked and are better than those on new pictures")
        return
    without = "begin without it (--encoder NAME)" if file == options.init else "leave out that --teacher"
    if file in options.teacher and _FOLD.fullmatch(Path(file).parent.name):
        without += " (the models of a cross-validation have seen all its pictures between them)"
    raise GateError(
        f"{seen} ({count.reasons()}): the choice of epoch and threshold would be no honest one",
        hint=f"{without}, or go on and have the scores marked (--allow-seen)",
    )


def _taught(spec: ModelSpec, options: TrainOptions) -> ModelSpec:
    """The spec of a model that learns from its teachers what they have learned."""
    if not options.teacher:
        return spec
    teachers = [read_model_spec(Path(file)) for file in options.teacher]
    before = (*spec.ancestors, *(digest for one in teachers for digest in (*one.ancestors, one.training_digest)))
    licences = dict.fromkeys(teacher.licence for teacher in teachers)
    data = dict.fromkeys(teacher.training_data for teacher in teachers)
    return replace(
        spec,
        licence=f"{spec.licence}; its teachers: {'; '.join(licences)}",
        training_data=f"{spec.training_data}; its teachers: {'; '.join(data)}",
        ancestors=tuple(dict.fromkeys(before)),
        seen=reduce(or_, (teacher.seen for teacher in teachers), spec.seen),
    )
