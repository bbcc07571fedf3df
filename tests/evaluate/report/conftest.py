"""Evaluations to report on: one whose figures are known by hand, and a small real one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile
from lesionctl.evaluate.analysis import analyse
from lesionctl.evaluate.cases import Case, Cases, cases_of_store
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.evaluate.report.material import gather
from lesionctl.evaluate.report.report import compose
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import Answer, FolderSide, ModelSide
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.progress import Silent
from lesionctl.runtime.load import load_segmenter
from lesionctl.scoring.counts import Counts, count

HEIGHT, WIDTH = 10, 20
MOMENT = datetime(2026, 3, 9, 12, 30, tzinfo=UTC)


class Shifted:
    """Masks of ten columns, each moved to the right by as many columns as it is told; None has none."""

    model = None

    def __init__(self, name, shifts) -> None:
        self.name, self.shifts = name, shifts

    def answer(self, case):
        shift = self.shifts[int(case.id.rpartition(" ")[2])]
        if shift is None:
            raise BadFile(case.truth, "there is no prediction for it")
        return Answer(case.truth, columns(shift))


def columns(first):
    """A mask of ten columns, 100 pixels, from that column on."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, first : first + 10] = True
    return mask


BOUNDARY = {"hd95": 2.0, "hd95_percent": 20.0, "assd": 1.0, "assd_percent": 10.0, "nsd_5px": 0.5, "boundary_iou": 0.25}


def evaluate_by_hand(name, shifts, prefix="picture"):
    """The scores of `Shifted`: a shift by k columns has a Dice of 1 - k / 10."""
    evaluation = Evaluation(name)
    for number, shift in enumerate(shifts):
        counts = Counts(fn=100, tn=100) if shift is None else count(columns(shift), columns(0))
        image = ImageScore(f"{prefix} {number}", "isic2018", f"group {number}", counts, BOUNDARY, failed=shift is None)
        evaluation.images.append(image)
        evaluation.board.add(counts)
    return evaluation


def cases_by_hand(n, title="truth, by hand", prefix="picture"):
    items = [
        Case(
            f"{prefix} {number}", "isic2018", f"group {number}", None, Path(f"{number}.png"), lambda: (columns(0), None)
        )
        for number in range(n)
    ]
    facts = [{"sex": "female" if number % 2 else "male"} for number in range(n)]
    return Cases(title, items, facts=facts)


@pytest.fixture(scope="session")
def by_hand():
    """A function from the shifts of each side to the analysis and the sides."""

    def make(sides, *, resamples=0, title="truth, by hand", prefix="picture"):
        n = len(next(iter(sides.values())))
        evaluations = [evaluate_by_hand(name, shifts, prefix) for name, shifts in sides.items()]
        analysis = analyse(evaluations, cases_by_hand(n, title, prefix), resamples=resamples, seed=3)
        return analysis, [Shifted(name, shifts) for name, shifts in sides.items()]

    return make


@pytest.fixture(scope="session")
def document_of():
    """A function from an analysis and its sides to the document."""

    def make(analysis, sides, *, command=("lesionctl", "eval"), painted=False):
        return compose(gather(analysis, sides, command, MOMENT, Silent()), Silent(), painted=painted)

    return make


@pytest.fixture(scope="session")
def masks_folder(demo, tmp_path_factory):
    """Masks of the demo set that lack their upper half."""
    folder = tmp_path_factory.mktemp("masks") / "masks <b>&"
    folder.mkdir()
    for path in sorted((demo / "masks").glob("*.png")):
        mask = read_mask(path)
        mask[: mask.shape[0] // 2] = False
        (folder / path.name).write_bytes(encode_mask(mask))
    return folder


@pytest.fixture(scope="session")
def real(store_path, run_dir, masks_folder):
    """A model with its run, and a folder of masks, on the demo store's test split."""
    model = run_dir / "model.safetensors"
    sides = [ModelSide("tiny", load_segmenter(str(model), "cpu"), [model]), FolderSide(masks_folder)]
    evaluations, cases = score(sides, cases_of_store(open_store(store_path), Split.TEST))
    return analyse(evaluations, cases, resamples=200), sides


@pytest.fixture(scope="session")
def two_models(store_path, run_dir, model_file):
    """A model with its run and one without, which does not say what it has seen, on the validation split."""
    files = [run_dir / "model.safetensors", model_file]
    sides = [
        ModelSide(name, load_segmenter(str(file), "cpu"), [file])
        for name, file in zip(("one", "two"), files, strict=True)
    ]
    evaluations, cases = score(sides, cases_of_store(open_store(store_path), Split.VALIDATION))
    return analyse(evaluations, cases, resamples=200), sides
