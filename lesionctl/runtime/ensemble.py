"""Several models as one: the mean of what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import reduce
from hashlib import sha256
from operator import and_, or_
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import UsageError
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.spread import mean_and_spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lesionctl.nets.model_spec import ModelSpec


class EnsembleSegmenter(Segmenter):
    """The mean of the probabilities of several models, which may differ in backend, network and input size.

    Its spec is made of theirs: the largest input size, the mean of the thresholds, of the post-processing what all of
    them do (no step is taken that was no gain for one of them), all that any of them has seen, the mean of the limits
    of confidence, and every name, licence and digest once. Network and normalisation are each member's own affair; in
    the spec stand the first one's, and what is familiar to it. It has no scores, for those of its members are not its
    own.

    Args:
        segmenters: The members; at least one.

    Raises:
        UsageError: Two of them make squares of pictures by different rules.
    """

    def __init__(self, segmenters: Sequence[Segmenter]) -> None:
        first, *others = self.members = tuple(segmenters)
        for other in others:
            if other.spec.resize is not first.spec.resize:
                raise UsageError(
                    f"{first.spec.name} and {other.spec.name} cannot be used together: one makes pictures square by "
                    f"'{first.spec.resize}', the other by '{other.spec.resize}'",
                    hint="name models that were trained on sets of the same --resize",
                )
        self.spec = _merge([member.spec for member in self.members])
        self.backend = _in_words(member.backend for member in self.members)
        self.digest = sha256("".join(member.digest for member in self.members).encode()).hexdigest()

    @property
    def parameters(self) -> int:
        """Of all members together."""
        return sum(member.parameters for member in self.members)

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`; members with a smaller input get the batch scaled down, and their answers up."""
        return self.forward_with_spread(batch)[0]

    def forward_with_spread(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Segmenter.forward_with_spread`."""
        return mean_and_spread(self._ask(member, batch) for member in self.members)

    def _ask(self, member: Segmenter, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if member.spec.size == self.spec.size:
            return member.forward(batch)
        frame = Frame.fit(self.spec.size, self.spec.size, member.spec.size, ResizeRule.SQUASH)  # square into square
        smaller = member.forward(np.stack([frame.shrink(view) for view in batch]))
        return np.stack([frame.restore(probability) for probability in smaller])


def _merge(specs: list[ModelSpec]) -> ModelSpec:
    limits = [spec.confidence_limit for spec in specs if spec.confidence_limit is not None]
    return replace(
        specs[0],
        size=max(spec.size for spec in specs),
        threshold=float(np.mean([spec.threshold for spec in specs])),
        postprocess=reduce(and_, (spec.postprocess for spec in specs)),
        name=_in_words(spec.name for spec in specs),
        licence="; ".join(dict.fromkeys(spec.licence for spec in specs)),
        training_data="; ".join(dict.fromkeys(spec.training_data for spec in specs)),
        training_digest="+".join(dict.fromkeys(spec.training_digest for spec in specs if spec.training_digest)),
        ancestors=tuple(dict.fromkeys(ancestor for spec in specs for ancestor in spec.ancestors)),
        seen=reduce(or_, (spec.seen for spec in specs)),
        confidence_limit=float(np.mean(limits)) if limits else None,
        scores={},
    )


def _in_words(names: Iterable[str]) -> str:
    """Each name once, with how many of that name there are."""
    return " + ".join(f"{name} ×{times}" if times > 1 else name for name, times in Counter(names).items())
