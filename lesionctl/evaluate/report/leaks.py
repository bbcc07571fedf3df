"""What each side has seen before it was scored, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.dataset.exposure import KINDS
from lesionctl.evaluate.report.document import Words
from lesionctl.evaluate.report.wording import count_of, join

if TYPE_CHECKING:
    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.evaluation import Evaluation


def leak_status(evaluation: Evaluation) -> str:
    """What is known of the pictures that a side has seen in training: a sentence."""
    if evaluation.model is None:
        return "Cannot be known: these are masks that were made already, and they do not say what made them."
    origin = evaluation.origin
    if origin is None or origin.seen is None:
        return "Cannot be known: the model's file does not say which pictures it was trained and tuned on."
    seen = origin.seen
    if not seen.pictures:
        kinds = join([KINDS[kind].removeprefix("same ") for kind in origin.compared], "or")
        none = f"None of the {count_of(seen.of, 'picture')}, by {kinds}"
        if origin.complete:
            return f"{none}."
        return f"{none}, as far as is known: a model that it started from does not say what it has seen."
    what = f"{seen.pictures:,} of {count_of(seen.of, 'picture')} ({seen.reasons()})"
    if origin.left_out:
        return f"{what}; they were left out."
    return f"{what}; they were scored with the others."


def leak_warning(analysis: Analysis) -> list[Words]:
    """What a reader must know before the figures: of sides that were scored on what they have seen, and others."""
    said = []
    for summary in analysis.summaries:
        origin = summary.evaluation.origin
        if origin is not None and origin.seen is not None and origin.seen.pictures and not origin.left_out:
            said.append(
                Words(
                    f"{summary.name} has seen {origin.seen.pictures:,} of the {count_of(origin.seen.of, 'picture')} in "
                    "training: its figures are not those of a test."
                )
            )
        elif summary.evaluation.model is not None and (origin is None or origin.seen is None):
            said.append(Words(f"Whether {summary.name} has seen some of the pictures in training cannot be known."))
    return said
