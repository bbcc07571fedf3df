"""From pictures and sides to scores: everything is read once, scored by threads, and forgotten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.errors import BadFile, Failure, SomeInputsFailed
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.evaluate.facts import SKIN_TONE, automatic_facts, skin_tone_of
from lesionctl.evaluate.gaps import Gap
from lesionctl.evaluate.leak_gate import pass_leak_gate
from lesionctl.evaluate.metadata import spell_id
from lesionctl.evaluate.sides import FolderSide, ModelSide, ask_each
from lesionctl.evaluate.when_seen import WhenSeen
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.threads import available_cpus, parallel_map
from lesionctl.scoring.boundary import boundary_figures
from lesionctl.scoring.counts import count
from lesionctl.scoring.group_histograms import GroupHistograms
from lesionctl.scoring.probability import ProbabilityHistogram
from lesionctl.scoring.threshold import ThresholdSearch, jaccard_at_each_threshold
from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.evaluate.cases import Case, Cases
    from lesionctl.evaluate.sides import Answer, Ask, Side
    from lesionctl.imaging.arrays import Mask
    from lesionctl.scoring.threshold import Jaccards
    from lesionctl.scoring.tolerance import Tolerance


@dataclass(frozen=True)
class _Scored:
    """One picture as one side found it."""

    score: ImageScore
    failure: Failure | None
    remark: Failure | None
    histogram: ProbabilityHistogram | None
    jaccards: Jaccards | None


@dataclass(frozen=True)
class _ScoredCase:
    """One picture as each side found it; the case is without its picture where that is not the truth's."""

    case: Case
    facts: dict[str, str]
    remark: Failure | None
    sides: list[_Scored]


def score(
    sides: Sequence[Side],
    cases: Cases,
    *,
    tolerances: Sequence[Tolerance] = DEFAULT_TOLERANCES,
    when_seen: WhenSeen = WhenSeen.REFUSE,
    progress: Progress | None = None,
) -> tuple[list[Evaluation], Cases]:
    """Score each side on the same pictures, each at the size of its true mask, as `predict` would write it.

    Where a side has no mask of a picture that can be used, it counts as one in which nothing was found, of a model with
    a probability of 0 everywhere, and is named among the failures, as are masks of pictures that are not among the
    cases. A picture whose true mask cannot be used is left out for all sides, and named.

    Args:
        sides: At least one.
        cases: The pictures.
        tolerances: For the surface Dice.
        when_seen: What to do with pictures that one of the models has seen.
        progress: Who listens; hears a warning of each gap in what is known of the pictures.

    Returns:
        The scores of each side, and the pictures that were scored, with their facts and with what is to be said of
        their true masks.

    Raises:
        GateError: See `pass_leak_gate`.
        SomeInputsFailed: No true mask could be used.
    """
    progress = progress or Silent()
    for side in sides:
        if isinstance(side, ModelSide):
            files = ", ".join(map(str, side.files))
            progress.detail(f"{side.name}: {files} runs on {side.segmenter.backend}")
        else:
            progress.detail(f"{side.name}: {len(side.masks):,} masks")
    progress.detail(f"{cases.title}: {len(cases.items):,} pictures, scored by threads: {available_cpus()}")
    origins, cases = pass_leak_gate(sides, cases, when_seen, progress)
    for gap in cases.gaps:
        progress.warn(str(gap))
    fit = GroupHistograms.fit(len({case.group for case in cases.items}))
    evaluations = [
        Evaluation(side.name, side.model, origin, by_group=GroupHistograms() if fit and side.model else None)
        for side, origin in zip(sides, origins, strict=True)
    ]
    searches = [ThresholdSearch() for _ in sides]
    is_validation = cases.split is Split.VALIDATION

    def score_case(work: tuple[Case, tuple[Ask, ...]]) -> _ScoredCase | Failure:
        case, asks = work
        try:
            truth, remark = case.read_truth()
        except BadFile as error:
            return Failure(error.path, error.reason)
        found = [
            _score(side, case, ask, truth, tolerances, search=is_validation)
            for side, ask in zip(sides, asks, strict=True)
        ]
        case, facts = _look_at(case, truth)
        return _ScoredCase(case, facts, Failure(case.truth, remark) if remark else None, found)

    scored, unread = [], []
    work = zip(cases.items, ask_each(sides, cases.items), strict=True)
    for result in track(progress, parallel_map(score_case, work), "scoring", len(cases.items)):
        if isinstance(result, Failure):
            unread.append(result)
            continue
        scored.append(replace(result, sides=[]))  # a picture's histogram is 64 kB: it is added up and forgotten
        for evaluation, search, found in zip(evaluations, searches, result.sides, strict=True):
            _add(evaluation, search, found)
    if not scored:
        raise SomeInputsFailed(unread, len(unread))
    for side, evaluation, thresholds in zip(sides, evaluations, searches, strict=True):
        evaluation.failures += _without_truth(side, cases)
        if len(thresholds):
            evaluation.best_threshold = thresholds.best()
    gaps = _unusable_pictures(cases, scored)
    for gap in gaps:
        progress.warn(str(gap))
    return evaluations, replace(
        cases,
        gaps=[*cases.gaps, *gaps],
        items=[result.case for result in scored],
        facts=[result.facts for result in scored],
        left_out=unread,
        remarks=[result.remark for result in scored if result.remark],
    )


def _score(side: Side, case: Case, ask: Ask, truth: Mask, tolerances: Sequence[Tolerance], *, search: bool) -> _Scored:
    seen = None
    if isinstance(side, ModelSide) and case.sample is not None:
        seen = side.segmenter.spec.seen.has_seen(case.sample)
    failure, remark, histogram, jaccards = None, None, None, None
    try:
        answer = ask()
        _check_size(answer, truth)
        prediction = answer.mask
        remark = Failure(answer.path, answer.remark) if answer.remark else None
        if answer.probability is not None:
            histogram = ProbabilityHistogram()
            histogram.update(answer.probability, truth)
            jaccards = jaccard_at_each_threshold(answer.probability, truth) if search else None
    except BadFile as error:
        failure = Failure(error.path, error.reason)
        prediction = np.zeros_like(truth)
        if isinstance(side, ModelSide):
            histogram = ProbabilityHistogram()
            histogram.update_with_nothing(truth)
    figures = boundary_figures(prediction, truth, tolerances)
    result = ImageScore(
        case.id, case.source, case.group, count(prediction, truth), figures, seen, failed=failure is not None
    )
    return _Scored(result, failure, remark, histogram, jaccards)


def _check_size(answer: Answer, truth: Mask) -> None:
    if answer.mask.shape != truth.shape:
        (height, width), (true_height, true_width) = answer.mask.shape, truth.shape
        raise BadFile(answer.path, f"{width}×{height} pixels, its truth {true_width}×{true_height}")


def _look_at(case: Case, truth: Mask) -> tuple[Case, dict[str, str]]:
    """What is known of a picture; and the case, without its picture where that cannot be read or is of another size.

    Pictures of a prepared set were looked at when it was prepared.
    """
    facts = {**case.facts, **automatic_facts(truth)}
    if case.image is not None and case.sample is None:
        try:
            facts[SKIN_TONE] = skin_tone_of(case.image, truth) or ""
        except BadFile:  # the picture is there to be looked at; its mask is scored all the same
            return replace(case, image=None), facts | {SKIN_TONE: ""}
    return case, facts


def _unusable_pictures(cases: Cases, scored: Sequence[_ScoredCase]) -> list[Gap]:
    given = {case.id for case in cases.items if case.image is not None}
    hidden = sum(result.case.image is None and result.case.id in given for result in scored)
    what = "unreadable, or of another size than the true mask, and not shown"
    return [Gap(hidden, len(scored), what)] if hidden else []


def _add(evaluation: Evaluation, search: ThresholdSearch, found: _Scored) -> None:
    evaluation.images.append(found.score)
    evaluation.board.add(found.score.counts, found.histogram)
    if evaluation.by_group is not None and found.histogram is not None:
        evaluation.by_group.add(found.score.group, found.histogram)
    if found.failure is not None:
        evaluation.failures.append(found.failure)
    if found.remark is not None:
        evaluation.remarks.append(found.remark)
    if found.jaccards is not None:
        search.add(found.jaccards)


def _without_truth(side: Side, cases: Cases) -> list[Failure]:
    """The masks of a folder that belong to no picture."""
    if not isinstance(side, FolderSide):
        return []
    known = {spell_id(case.id) for case in cases.items}
    if cases.store is not None:  # a folder may hold masks for the other splits as well
        known |= {spell_id(sample.id) for sample in cases.store.samples}
    return [
        Failure(path, "a prediction without a truth") for name, path in sorted(side.masks.items()) if name not in known
    ]
