"""The pictures of a report: the best, those in the middle, the worst, and some that chance drew."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.errors import BadFile
from lesionctl.evaluate.report.document import Exhibit, Gallery, Painting, Section
from lesionctl.evaluate.report.wording import count_of, format_value, percent, with_unit
from lesionctl.evaluate.sides import ask_each
from lesionctl.imaging.decode import decode
from lesionctl.imaging.overlay import draw_outline
from lesionctl.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionctl.evaluate.cases import Case
    from lesionctl.evaluate.evaluation import ImageScore
    from lesionctl.evaluate.report.choice import Group
    from lesionctl.evaluate.report.material import Material
    from lesionctl.evaluate.sides import Ask, Side
    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.progress import Progress

TRUTH, PREDICTION = (86, 180, 233), (240, 228, 66)
"""Sky blue and yellow (Okabe and Ito): colour-blind readers tell them apart."""

_GROUND = (64, 68, 72)
_SIDES = (440, 260)  # pixels of the longer side: of the first side's paintings, of the others'
_QUALITY = 82


def gallery_section(material: Material, progress: Progress, *, painted: bool) -> Section:
    """The gallery.

    Args:
        material: What the report is written from.
        progress: Who listens.
        painted: Whether pictures are painted; else the figures are told alone.
    """
    analysis, groups = material.analysis, material.groups
    rows = list(dict.fromkeys(row for group in groups for row in group.rows))
    cases = [analysis.cases.items[row] for row in rows]
    painted_rows = dict(zip(rows, _paint_each(material.sides, cases, progress), strict=True)) if painted else {}

    def exhibit(row: int) -> Exhibit:
        scores = [summary.evaluation.images[row] for summary in analysis.summaries]
        sources = painted_rows.get(row) or [("", 0, 0)] * len(scores)
        with_picture = analysis.cases.items[row].image is not None
        paintings = [
            Painting(name, _scores(score), _alt(score, name, with_picture=with_picture), *source)
            for name, score, source in zip(material.names, scores, sources, strict=True)
        ]
        return Exhibit(scores[0].id, _remark(scores[0]), tuple(paintings))

    first = material.names[0]
    blocks = [
        Gallery(group.title, _caption(group, first, analysis.seed), tuple(exhibit(row) for row in group.rows))
        for group in groups
    ]
    return Section("pictures", "Pictures", tuple(blocks))


def _caption(group: Group, first: str, seed: int) -> str:
    if group.title.startswith("Drawn"):
        return f"{count_of(len(group.rows), 'picture')} of all, drawn with seed {seed}."
    return f"{count_of(len(group.rows), 'picture')} by the Dice of {first}."


def _scores(score: ImageScore) -> str:
    if score.failed:
        return "no prediction that could be used"
    figures = score.figures()
    hd95 = with_unit("hd95", figures["hd95"])
    dice, jaccard = (format_value(name, figures[name]) for name in ("dice", "jaccard"))
    return f"Dice {dice} · Jaccard {jaccard} · HD95 {hd95}"


def _alt(score: ImageScore, name: str, *, with_picture: bool) -> str:
    counts = score.counts
    pixels = counts.tp + counts.fp + counts.fn + counts.tn
    true, predicted = ((part + counts.tp) / pixels for part in (counts.fn, counts.fp))
    what = f"Picture {score.id}" if with_picture else f"Masks of {score.id} on a plain ground"
    said = f"The true lesion covers {percent(true)} of it"
    if score.failed:
        return f"{what} with the true outline. {said}; {name} has no prediction that could be used."
    if not predicted:
        return f"{what} with the true outline. {said}; {name} found nothing."
    outlines = f"{what} with the true outline and that of {name}"
    return f"{outlines}. {said}, the predicted one {percent(predicted)}. {_scores(score)}."


def _remark(score: ImageScore) -> str:
    return "seen in training" if score.seen else ""


def _paint_each(
    sides: Sequence[Side], cases: Sequence[Case], progress: Progress
) -> Iterator[list[tuple[str, int, int]]]:
    """For each picture, by each side, a data URI, with the width and height of what it holds."""
    for case, asks in track(progress, zip(cases, ask_each(sides, cases), strict=True), "painting", len(cases)):
        (truth, _), image = case.read_truth(), _read(case)
        yield [
            _encode(paint(image, truth, _predicted(ask, truth), _SIDES[min(number, 1)]))
            for number, ask in enumerate(asks)
        ]


def _predicted(ask: Ask, truth: Mask) -> Mask:
    """A side's mask; where there is none that can be used, one in which nothing was found, as it was scored."""
    try:
        found = ask().mask
    except BadFile:
        return np.zeros_like(truth)
    return found if found.shape == truth.shape else np.zeros_like(truth)


def _read(case: Case) -> Image | None:
    if case.image is None:
        return None
    try:
        return decode(case.image, at_least=_SIDES[0]).image
    except BadFile:  # its masks can be shown all the same
        return None


def paint(image: Image | None, truth: Mask, prediction: Mask, longest: int) -> Image:
    """Draw the true and the predicted outline on a picture.

    Args:
        image: uint8 `[h, w, 3]` at any scale; None for a plain ground.
        truth: bool `[H, W]`.
        prediction: bool `[H, W]`.
        longest: The longer side of what comes out, in pixels.

    Returns:
        uint8 `[h', w', 3]`, of the truth's shape.
    """
    height, width = truth.shape
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if image is None:
        canvas: Image = np.full((size[1], size[0], 3), _GROUND, np.uint8)
    else:
        how = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
        canvas = cv2.resize(image, size, interpolation=how)  # type: ignore[assignment]
    for mask, colour in ((truth, TRUTH), (prediction, PREDICTION)):
        smooth = cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA) > 127
        canvas = draw_outline(canvas, smooth, colour)
    return canvas


def _encode(image: Image) -> tuple[str, int, int]:
    done, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise RuntimeError("the JPEG encoder refused a picture of the gallery")
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode(), image.shape[1], image.shape[0]
