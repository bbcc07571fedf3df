"""What the terminal shows of an analysis: short, whole at 100 columns, and true to the figures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionctl.cli.eval_tables import show, warn_of_remarks
from lesionctl.cli.terminal import Terminal
from lesionctl.errors import Failure
from lesionctl.evaluate.analysis import analyse
from lesionctl.evaluate.cases import Cases
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.scoring.boundary import boundary_figures
from lesionctl.scoring.counts import count
from lesionctl.scoring.group_histograms import GroupHistograms
from lesionctl.scoring.probability import ProbabilityHistogram

PICTURES = 32  # in so many groups that Wilcoxon's test need not try all signs


@pytest.fixture
def shown(capsys, monkeypatch):
    """A function: the lines that a terminal of so many columns shows of an analysis."""

    def run(analysis, columns=100):
        monkeypatch.setenv("COLUMNS", str(columns))
        show(analysis, Terminal())
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return run


ONE = np.ones((20, 60), bool)
RIGHT = count(ONE, ONE)


def side(name, shift, *, probabilities=False, pictures=PICTURES):
    """A side whose masks are `shift` columns to the right of the truth: 10 of 20 by 40 columns and 10 rows."""
    evaluation = Evaluation(name)
    truth = np.zeros((20, 60), bool)
    truth[5:15, 10:30] = True
    for number in range(pictures):
        mask = np.roll(truth, shift if number else 0, axis=1)  # of the first picture each is right
        histogram = ProbabilityHistogram()
        if probabilities:
            histogram.update(mask.astype(np.float32), truth)
        image = ImageScore(
            str(number), "set", f"lesion={number // 2}", count(mask, truth), boundary_figures(mask, truth)
        )
        evaluation.images.append(image)
        evaluation.board.add(image.counts, histogram)
    return evaluation


def analysed(*evaluations, resamples=200, facts=None):
    pictures = len(evaluations[0].images)
    facts = facts or [{"sex": "female" if number % 2 else "male"} for number in range(pictures)]
    return analyse(evaluations, Cases("some.store, test split", [None] * pictures, facts=facts), resamples=resamples)


def row(lines, name):
    """The cells of the first row of that name."""
    return next(line for line in lines if line.startswith(f" {name}  ")).strip().split("   ")


def test_one_side(shown):
    lines = shown(analysed(side("run", 5, probabilities=True)))
    assert lines[0] == "run on some.store, test split: 32 pictures in 16 groups, at the masks' own size"
    # 5 of 20 columns aside: Dice 2·150 / 400 = 0.75, Jaccard 150 / 250 = 0.6; of one of 32 pictures 1.
    cells = [cell.strip() for cell in row(lines, "Dice (F1)") if cell]
    assert cells[1] == f"{(0.75 * 31 + 1) / 32:.4f}"
    assert cells[2].startswith("0.75")
    assert cells[3:5] == ["0.7500", f"{(150 * 31 + 200) / (200 * 32):.4f}"]
    cells = [cell.strip() for cell in row(lines, "thresholded Jaccard") if cell]
    assert (cells[1], cells[3:]) == ("0.0312", ["0.0000", "–", "–"])  # 0.6 is below 0.65
    assert any(line.startswith(" HD95, px ") for line in lines)
    assert "95 % intervals: bootstrap of 16 groups (lesions, patients), 200 resamples." in lines
    assert "probabilities, all pixels pooled" in lines
    assert "confusion matrix: share of all pixels, and the mean of each picture's share" in lines
    assert "run: subgroups, the worst first, mean per image" in lines
    sexes = [line.split()[:3] for line in lines if line.startswith(" sex: ")]
    assert sexes == [["sex:", "female", "16"], ["sex:", "male", "16"]]  # the right one is male
    assert not any("Wilcoxon" in line for line in lines)


@pytest.mark.parametrize("names", [["run"], ["new-run", "old-run"], ["a", "b", "c", "d"]])
def test_nothing_is_folded_at_100_columns(shown, names):
    analysis = analysed(*(side(name, 2 + number, probabilities=True) for number, name in enumerate(names)))
    lines = shown(analysis)
    assert max(map(len, lines)) <= 100
    assert len(lines) == len(shown(analysis, columns=200))


def test_two_sides_and_their_differences(shown):
    lines = shown(analysed(side("near", 2), side("far", 4)))
    assert lines[0] == "some.store, test split: 32 pictures in 16 groups, at the masks' own size"
    means = [(0.9 * 31 + 1) / 32, (0.8 * 31 + 1) / 32]
    assert [cell.strip().split()[0] for cell in row(lines, "Dice (F1)") if cell][1:] == [
        f"{mean:.4f}" for mean in means
    ]
    assert "near less far, mean per image" in lines
    compared = lines[lines.index("near less far, mean per image") :]
    cells = [cell.strip() for cell in row(compared, "Dice (F1)") if cell]
    assert (cells[1], cells[-2:]) == (f"{means[0] - means[1]:+.4f}", ["31/1/0", "better"])
    assert [cell.strip() for cell in row(compared, "HD95, px") if cell][-2:] == ["31/1/0", "better"]  # lower is better
    assert "probabilities, all pixels pooled" not in lines
    assert any(line.startswith(" pooled Dice (F1) ") for line in lines)


def test_of_more_than_two_sides_every_pair_is_told_in_short(shown):
    lines = shown(analysed(*(side(name, 2) for name in "abcd")))
    assert "every two sides, mean per image" in lines
    assert [line.strip() for line in lines if " less " in line] == [
        *("a less b", "a less c", "a less d", "b less c", "b less d", "c less d")
    ]
    assert sum("a tie" in line for line in lines) == 6 * 3 + 1  # and what a tie is


def test_too_few_groups_for_an_interval_are_said_to_be(shown):
    sides = [side(name, shift, probabilities=True, pictures=18) for name, shift in (("near", 2), ("far", 4))]
    lines = shown(analysed(*sides))
    assert "No intervals: 9 groups, too few groups for an interval." in lines
    assert "No verdicts: 9 groups, too few groups for an interval." in lines
    compared = lines[lines.index("near less far, mean per image") :]
    assert [cell.strip() for cell in row(compared, "Dice (F1)") if cell][2] == "–"
    assert [cell.strip() for cell in row(compared, "Dice (F1)") if cell][-1] == "–"
    assert not any("too few" in line for line in shown(analysed(*sides, resamples=0)))


def test_subgroups_of_too_few_groups_are_said_to_be(shown):
    facts = [{"site": "arm" if number < 12 else "leg"} for number in range(PICTURES)]  # of 6 and of 10 groups
    lines = shown(analysed(side("run", 5), facts=facts))
    arm, leg = (row(lines, f"site: {site}") for site in ("arm", "leg"))
    assert arm[-1].strip() == "too few groups"
    assert leg[-1].strip().startswith("0.7500")


def test_figures_of_probabilities_have_intervals_or_it_is_said_why_not(shown):
    run = side("run", 5, probabilities=True)
    assert "No intervals of these: the groups are too many to keep each one's pixels." in shown(analysed(run))
    run.by_group = GroupHistograms()
    truth = np.zeros((20, 60), bool)
    truth[5:15, 10:30] = True
    for image in run.images:
        histogram = ProbabilityHistogram()
        histogram.update(np.roll(truth, 5, axis=1).astype(np.float32), truth)
        run.by_group.add(image.group, histogram)
    lines = shown(analysed(run))
    assert not any("too many" in line for line in lines)
    cells = [
        cell.strip() for cell in row(lines[lines.index("probabilities, all pixels pooled") :], "Brier score") if cell
    ]
    assert re.fullmatch(r"0\.\d{4}  0\.\d{4}–0\.\d{4}", "  ".join(cells[1:]))


def test_a_verdict_that_the_p_value_does_not_bear_out_has_a_footnote(shown):
    # Six of ten groups are ahead and none is behind: p is 2 / 2⁶, and Holm's more than 0.05.
    ahead, behind = (side(name, 4, pictures=20) for name in ("ahead", "behind"))
    ahead.images[1:12] = [
        replace(image, counts=RIGHT, boundary=boundary_figures(ONE, ONE)) for image in ahead.images[1:12]
    ]
    lines = shown(analysed(ahead, behind))
    assert [
        cell.strip() for cell in row(lines[lines.index("ahead less behind, mean per image") :], "Dice (F1)") if cell
    ][-1] == "better *"
    assert "*: the interval excludes zero, but p after Holm's correction is 0.05 or more." in lines
    plain = shown(analysed(side("near", 2), side("far", 4)))
    assert not any(line.startswith("*:") for line in plain)


def test_without_resamples_no_interval_is_shown_or_spoken_of(shown):
    lines = shown(analysed(side("run", 5), resamples=0))
    assert [cell.strip() for cell in row(lines, "Dice (F1)") if cell][1:] == ["0.7578", "0.7500", "0.7578"]
    assert not any("bootstrap" in line for line in lines)


def test_subgroups_that_are_small_or_many_are_counted_and_not_shown(shown):
    facts = [{f"column {name}": str(number % 2) for name in range(7)} for number in range(PICTURES)]
    facts[0]["rare"] = "yes"
    lines = shown(analysed(side("run", 5), facts=facts))
    assert sum(line.startswith((" column ", " rare: not stated ")) for line in lines) == 12
    assert (
        "Not shown: 3 better subgroups, 1 subgroup of fewer than 10 pictures; --report and --json tell of them."
        in lines
    )


def test_remarks_are_named_up_to_ten_files(capsys):
    one, other = side("one", 2), side("other", 2)
    grey = [Failure(Path(f"{number}.png"), "grey") for number in range(12)]
    one.remarks, other.remarks = grey[:11], grey[1:]
    analysis = analysed(one, other, resamples=0)
    analysis.cases.remarks.append(Failure(Path("truth.png"), "grey"))
    warn_of_remarks(analysis, Terminal())
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["warning: truth.png: grey", "warning: 0.png: grey"]
    assert said[9:] == ["warning: 8.png: grey", "warning: and 3 more files like these; --json names them all"]
