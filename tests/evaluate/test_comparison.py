"""Two sides on the same pictures: by figure, picture by picture, and what can be told from chance."""

from __future__ import annotations

import pytest

from lesionctl.evaluate.comparison import Verdict, compare_all
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.scoring.bootstrap import GroupBootstrap
from lesionctl.scoring.counts import Counts

RIGHT = Counts(tp=10, tn=90)  # Dice 1
HALF = Counts(tp=10, fp=10, fn=10, tn=70)  # Dice 1/2, Jaccard 1/3
THIRD = Counts(tp=10, fp=20, fn=20, tn=50)  # Dice 1/3, Jaccard 1/5
ALSO_THIRD = Counts(tp=1, fp=4, tn=95)  # Dice 1/3 too, recall 1


def evaluation(name, *counts, hd95=None, groups=None):
    images = [
        ImageScore(
            str(number), "set", (groups or range(len(counts)))[number], counted, {"hd95": (hd95 or counts)[number]}
        )
        if hd95
        else ImageScore(str(number), "set", str(number), counted, {})
        for number, counted in enumerate(counts)
    ]
    return Evaluation(name, images=images)


HOW_OFTEN = 4  # worked examples are repeated: of fewer than ten groups there is no interval


def compare(*evaluations, resamples=2000):
    groups = [str(image.group) for image in evaluations[0].images]
    return compare_all(evaluations, GroupBootstrap(groups, resamples, seed=0))


def test_worked_example():
    ours, theirs = [RIGHT, HALF, THIRD, HALF], [HALF, THIRD, ALSO_THIRD, RIGHT]
    (found,) = compare(evaluation("a", *ours * HOW_OFTEN), evaluation("b", *theirs * HOW_OFTEN))
    differences = {difference.figure: difference for difference in found.differences}
    assert (found.one, found.other) == ("a", "b")
    dice = differences["dice"]
    assert (dice.wins, dice.ties, dice.losses) == (2 * HOW_OFTEN, HOW_OFTEN, HOW_OFTEN)
    assert dice.estimate.value == pytest.approx((1 / 2 + 1 / 6 + 0 - 1 / 2) / 4)
    assert differences["jaccard"].estimate.value == pytest.approx((2 / 3 + (1 / 3 - 1 / 5) + 0 - 2 / 3) / 4)
    assert differences["recall"].estimate.value == pytest.approx((1 / 2 + 1 / 6 - 2 / 3 - 1 / 2) / 4)
    assert dice.verdict is Verdict.TIE


def test_the_other_way_round_has_the_other_sign():
    one, other = evaluation("a", *[RIGHT, HALF] * 5), evaluation("b", *[HALF] * 10)
    forth, back = compare(one, other)[0].differences[0], compare(other, one)[0].differences[0]
    assert (forth.wins, forth.ties, forth.losses) == (5, 5, 0)
    assert (back.wins, back.ties, back.losses) == (0, 5, 5)
    assert (forth.verdict, back.verdict) == (Verdict.BETTER, Verdict.WORSE)
    assert forth.estimate.value == -back.estimate.value
    assert (forth.estimate.low, forth.estimate.high) == (-back.estimate.high, -back.estimate.low)


def test_a_side_that_is_ahead_on_every_picture_is_better_and_what_is_nearer_has_the_smaller_distance():
    ahead = evaluation("near", *[RIGHT] * 12, hd95=[1.0] * 12)
    behind = evaluation("far", *[HALF] * 12, hd95=[3.0] * 12)
    differences = {difference.figure: difference for difference in compare(ahead, behind)[0].differences}
    assert differences["dice"].verdict is Verdict.BETTER
    assert differences["hd95"].estimate.value == -2
    assert differences["hd95"].verdict is Verdict.BETTER
    assert (differences["hd95"].wins, differences["hd95"].losses) == (12, 0)
    assert {d.figure: d.verdict for d in compare(behind, ahead)[0].differences}["hd95"] is Verdict.WORSE
    assert differences["dice"].p_value == 2 / 4096  # twelve differences of one sign, of 2¹² ways to give out signs
    # Of ten figures eight differ in that way; recall does too, and specificity. The smallest is multiplied by all ten.
    p_values = [difference.p_value for difference in differences.values()]
    assert p_values == [2 / 4096 if d.wins else 1 for d in differences.values()]
    assert differences["dice"].p_holm == pytest.approx(len(p_values) * 2 / 4096)
    assert len(p_values) == 10


def test_an_interval_without_zero_that_holm_s_correction_does_not_bear_out_is_contested():
    # Six of ten are ahead and none is behind: p is 2 / 2⁶ = 0.031, and with ten figures at least 0.05.
    (found,) = compare(evaluation("a", *[RIGHT] * 6, *[HALF] * 4), evaluation("b", *[HALF] * 10))
    dice = found.differences[0]
    assert (dice.verdict, dice.p_value) == (Verdict.BETTER, 2 / 64)
    assert dice.p_holm >= 9 * 2 / 64
    assert dice.contested
    ahead = compare(evaluation("a", *[RIGHT] * 30), evaluation("b", *[HALF] * 30))[0].differences[0]
    assert (ahead.verdict, ahead.contested) == (Verdict.BETTER, False)
    tie = compare(evaluation("a", *[HALF] * 10), evaluation("b", *[HALF] * 10))[0].differences[0]
    assert (tie.verdict, tie.p_holm, tie.contested) == (Verdict.TIE, 1, False)


def test_fewer_than_ten_groups_have_no_interval_and_no_verdict():
    for groups, verdict in ((9, None), (10, Verdict.BETTER)):
        dice = compare(evaluation("a", *[RIGHT] * groups), evaluation("b", *[HALF] * groups))[0].differences[0]
        assert (dice.verdict, dice.estimate.low is None) == (verdict, verdict is None)
        assert dice.p_value == 2 / 2**groups


def test_pictures_of_one_lesion_are_one_piece_of_evidence():
    counts, others = [RIGHT] * 12, [HALF] * 12
    alone = compare(evaluation("a", *counts, hd95=[1.0] * 12), evaluation("b", *others, hd95=[2.0] * 12))
    lesions = ["x"] * 6 + ["y"] * 6
    together = compare(
        evaluation("a", *counts, hd95=[1.0] * 12, groups=lesions),
        evaluation("b", *others, hd95=[2.0] * 12, groups=lesions),
    )
    assert together[0].differences[0].p_value == 0.5  # two lesions of one sign, of 2² ways to give out signs
    assert alone[0].differences[0].p_value == 2 / 4096


def test_every_two_of_three_are_compared_and_corrected_together():
    sides = [
        evaluation(name, RIGHT, HALF, counted, counted)
        for name, counted in zip("abc", (RIGHT, HALF, THIRD), strict=True)
    ]
    found = compare(*sides)
    assert [(pair.one, pair.other) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    tested = sorted((difference.p_value, difference.p_holm) for pair in found for difference in pair.differences)
    assert len(tested) == 3 * 9
    assert tested[0][1] == min(1, len(tested) * tested[0][0])
    assert all(after >= before for before, after in tested)


def test_without_resamples_there_is_no_verdict():
    (found,) = compare(evaluation("a", *[RIGHT] * 12), evaluation("b", *[HALF] * 12), resamples=0)
    assert {difference.verdict for difference in found.differences} == {None}


def test_other_pictures_cannot_be_compared():
    with pytest.raises(ValueError, match="the same pictures"):
        compare(evaluation("a", RIGHT, HALF), evaluation("b", RIGHT))
