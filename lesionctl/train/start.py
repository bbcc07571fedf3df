"""What a training starts from: random or encoder weights, or a whole model, which must not have seen the validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import Store, samples_digest
from lesionctl.errors import GateError
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.nets.build import build_net
from lesionctl.nets.encoders import input_statistics
from lesionctl.nets.model_file import load_model
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import Arch, ClassicSpec, DeepLabV3PlusSpec, NetSpec, UNetSpec
from lesionctl.train.memory.batch_size import largest_batch_size
from lesionctl.train.state import saved_batch_size

if TYPE_CHECKING:
    from torch import nn

    from lesionctl.dataset.samples import Sample
    from lesionctl.progress import Progress
    from lesionctl.runtime.device import Compute
    from lesionctl.train.distributed.ranks import Ranks
    from lesionctl.train.options import TrainOptions

_HALF = (0.5, 0.5, 0.5)  # mean and deviation where no weights ask for others: pixels become numbers from -1 to 1


class Start(NamedTuple):
    """The beginning of a training.

    Attributes:
        spec: How the network is used, and all that it will have seen at the end.
        net: The network, float32, on the CPU.
        seen: How many pictures of the validation split the ancestor has seen; None where there is none, or it does not
            say.
    """

    spec: ModelSpec
    net: nn.Module
    seen: SeenCount | None


def start(options: TrainOptions, store: Store, progress: Progress) -> Start:
    """The network to begin with.

    Args:
        options: How to train.
        store: What to train on.
        progress: Hears a warning where an ancestor has seen the validation split, or does not say what it has seen.

    Raises:
        GateError: The ancestor has seen pictures of the validation split, and `options` do not allow that.
        BadFile: The ancestor's file cannot be used.
        UsageError: There is no such encoder.
    """
    learned_from = [sample for sample in store.samples if sample.split is not Split.TEST]
    digest, exposure = samples_digest(learned_from), Exposure.of(learned_from)
    if options.init:
        ancestor, net = load_model(Path(options.init))
        validation = [sample for sample in learned_from if sample.split is Split.VALIDATION]
        seen = _check_validation(ancestor, validation, options, progress)
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
        return Start(spec, net, seen)
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
    return Start(spec, net, None)


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


def _check_validation(
    ancestor: ModelSpec, validation: list[Sample], options: TrainOptions, progress: Progress
) -> SeenCount | None:
    """A model chooses epoch and threshold too high for itself on pictures that its weights have learned already."""
    count = ancestor.seen.count(validation)
    if not ancestor.seen.complete:
        progress.warn(
            f"{options.init} does not say all that it has seen in training: whether the validation split is new to it "
            "cannot be checked"
        )
    if count is None or not count.pictures:
        return count
    seen = f"{options.init} has seen {count.pictures} of the {count.of} pictures of the validation split in training"
    if not options.allow_seen:
        raise GateError(
            f"{seen} ({count.reasons()}): the choice of epoch and threshold would be no honest one",
            hint="begin without it (--encoder NAME), or go on and have the scores marked (--allow-seen)",
        )
    progress.warn(f"{seen} ({count.reasons()}): its scores are marked and are better than those on new pictures")
    return count
