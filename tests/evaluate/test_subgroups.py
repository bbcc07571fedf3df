"""Parts of the pictures: their figures by hand, where numbers are cut, what is left out, the worst first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lesionctl.evaluate.subgroups import NOT_STATED, Subgroup, subgroups


def divide(cells, dice=None, groups=None, **more):
    """The subgroups of one column; each picture is its own group by default."""
    facts = [{} if cell is None else {"column": cell} for cell in cells]
    values = {"dice": [0.5] * len(cells) if dice is None else dice}
    names = [str(number) for number in range(len(cells))] if groups is None else groups
    return subgroups(facts, names, values, **{"resamples": 200, "seed": 0, **more})


def sizes(found):
    return {part.value: part.n for part in found}


def test_means_and_sizes_by_hand_with_the_worst_first():
    facts = [
        {"sex": "female", "site": "arm"}, {"sex": "male", "site": "arm"}, {"sex": "female", "site": "leg"},
        {"sex": "male", "site": "leg"}, {"sex": "female", "site": "leg"},
    ]  # fmt: skip
    values = {"dice": [0.9, 0.6, 0.7, 0.4, 0.5], "jaccard": [0.8, 0.5, 0.6, 0.3, 0.4]}
    found = subgroups(facts, ["L1", "L2", "L1", "L3", "L4"], values, resamples=200, seed=0)
    assert [(part.column, part.value, part.n, part.groups) for part in found] == [
        ("sex", "male", 2, 2),  # (0.6 + 0.4) / 2 = 0.5; L2, L3
        ("site", "leg", 3, 3),  # (0.7 + 0.4 + 0.5) / 3 = 0.5333; L1, L3, L4
        ("sex", "female", 3, 2),  # (0.9 + 0.7 + 0.5) / 3 = 0.7; L1 twice, L4
        ("site", "arm", 2, 2),  # (0.9 + 0.6) / 2 = 0.75; L1, L2
    ]
    assert [part.figures["dice"].value for part in found] == pytest.approx([0.5, 1.6 / 3, 0.7, 0.75])
    assert [part.figures["jaccard"].value for part in found] == pytest.approx([0.4, 1.3 / 3, 0.6, 0.65])


def test_order_is_that_of_the_first_figure():
    facts, values = [{"sex": "f"}, {"sex": "m"}], {"dice": [0.2, 0.8], "jaccard": [0.9, 0.1]}
    assert [part.value for part in subgroups(facts, ["1", "2"], values)] == ["f", "m"]
    values = dict(reversed(values.items()))
    assert [part.value for part in subgroups(facts, ["1", "2"], values)] == ["m", "f"]


def test_equal_ones_stand_by_column_and_value():
    facts = [{"site": "leg", "sex": "m"}, {"site": "arm", "sex": "f"}]
    found = subgroups(facts, ["1", "2"], {"dice": [0.5, 0.5]}, resamples=200)
    assert [(part.column, part.value) for part in found] == [
        ("sex", "f"), ("sex", "m"), ("site", "arm"), ("site", "leg"),
    ]  # fmt: skip


def test_fewer_than_ten_groups_have_no_interval():
    nine, ten = [f"L{number}" for number in range(9)], [f"M{number}" for number in range(10)]
    (low, high) = divide(["a"] * 18 + ["b"] * 10, [0.1, 0.3] * 9 + [0.6, 0.8] * 5, nine * 2 + ten)
    assert (low.value, low.n, low.groups, low.small) == ("a", 18, 9, False)
    assert low.figures["dice"].value == pytest.approx(0.2)
    assert (low.figures["dice"].low, low.figures["dice"].high) == (None, None)
    assert 0.6 <= high.figures["dice"].low < 0.7 < high.figures["dice"].high <= 0.8


def test_no_resamples_give_no_intervals():
    assert all(part.figures["dice"].low is None for part in divide(["a", "a", "b", "b"], resamples=0))


def test_groups_are_drawn_within_their_subgroup():
    # All pictures of "a" score alike, whatever is drawn of them; the first of its groups reaches into "b" too.
    groups = [str(number) for number in (*range(12), *range(11, 23))]
    worse, better = divide(["a"] * 12 + ["b"] * 12, [0.4] * 12 + [0.5, 0.7, 0.9] * 4, groups)
    estimate = worse.figures["dice"]
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.4, 0.4, 0.4))
    assert 0.5 <= better.figures["dice"].low < 0.7 < better.figures["dice"].high <= 0.9


def test_same_seed_gives_the_same_intervals():
    cells, dice = ["a", "b"] * 15, np.linspace(0.1, 0.9, 30).tolist()
    assert divide(cells, dice, seed=3) == divide(cells, dice, seed=3)
    assert divide(cells, dice, seed=3) != divide(cells, dice, seed=4)


@pytest.mark.parametrize("nothing", [None, "", "  ", "NA", "unknown", "NaN", "-"])
def test_cells_that_say_nothing_are_not_stated(nothing):
    assert sizes(divide(["f", nothing, "m", nothing])) == {"f": 1, "m": 1, NOT_STATED: 2}


def test_spaces_around_a_cell_mean_nothing():
    assert sizes(divide(["f", " f", "m "])) == {"f": 2, "m": 1}


@pytest.mark.parametrize("cells", [["f"] * 4, [None] * 4, ["", "NA", None, "?"], ["45", "45.0", " 45", "45"]])
def test_column_that_says_the_same_of_all_is_left_out(cells):
    assert divide(cells) == []


def test_pictures_of_which_nothing_is_known_are_a_part_beside_one_value():
    assert sizes(divide(["f", "f", None])) == {"f": 2, NOT_STATED: 1}


def test_eight_numbers_stay_as_they_are_written_shortest():
    cells = ["0", "1", "2.0", "3", "4.50", "5", "6", "70", "2", "4.5"]
    assert sizes(divide(cells)) == {"0": 1, "1": 1, "2": 2, "3": 1, "4.5": 2, "5": 1, "6": 1, "70": 1}


def test_nine_numbers_are_cut_at_their_quartiles():
    # 10, 20 … 90: the quartiles are 30, 50 and 70, and lie below their cuts.
    cells = [str(number) for number in range(10, 100, 10)]
    assert sizes(divide(cells)) == {"10 to 30": 3, "40 to 50": 2, "60 to 70": 2, "80 to 90": 2}


def test_numbers_between_two_pictures_cut_them_apart():
    # 1 … 12: the quartiles are 3.75, 6.5 and 9.25.
    assert sizes(divide([str(number) for number in range(1, 13)])) == {
        "1 to 3": 3, "4 to 6": 3, "7 to 9": 3, "10 to 12": 3,
    }  # fmt: skip


def test_quartiles_are_those_of_the_pictures_and_not_of_the_different_numbers():
    # 20 pictures of 45 and one each of 50, 55 … 85: of these 28 the lower quartile and the median are 45; the upper, at
    # 20.25 of 0 … 27, lies between the 50 at 20 and the 55 at 21: 51.25.
    cells = ["45"] * 20 + [str(age) for age in range(50, 90, 5)]
    assert sizes(divide(cells)) == {"45": 20, "50": 1, "55 to 85": 7}


def test_equal_quartiles_are_one_cut():
    cells = ["0"] * 40 + [str(number) for number in range(1, 10)]  # all quartiles are 0
    assert sizes(divide(cells)) == {"0": 40, "1 to 9": 9}
    cells = ["9"] * 40 + [str(number) for number in range(9)]  # all quartiles are 9: what lies below is parted too
    assert sizes(divide(cells)) == {"9": 40, "0 to 8": 9}


def test_numbers_that_are_not_stated_are_not_cut():
    cells = [str(number) for number in range(10, 100, 10)] + ["", "NA", None]
    assert sizes(divide(cells)) == {"10 to 30": 3, "40 to 50": 2, "60 to 70": 2, "80 to 90": 2, NOT_STATED: 3}


def test_negative_and_broken_numbers():
    cells = ["-3.5", "-2", "-1e0", "0", "0.25", "1.5", "2", "1e3", "12345678.5"]
    # The quartiles of nine numbers are the third, the fifth and the seventh.
    assert sizes(divide(cells)) == {"-3.5 to -1": 3, "0 to 0.25": 2, "1.5 to 2": 2, "1000 to 12345678.5": 2}


@pytest.mark.parametrize("word", ["85+", "inf", "L1"])
def test_column_with_a_word_in_it_is_not_cut(word):
    cells = [str(number) for number in range(10)] + [word]
    assert sizes(divide(cells)) == dict.fromkeys(cells, 1)


@pytest.mark.parametrize("seed", range(20))
def test_every_picture_lies_in_one_part_whose_name_holds_its_number(seed):
    random = np.random.default_rng(seed)
    numbers = random.choice([random.integers(0, 40, 60), random.normal(0, 9, 60).round(2), random.poisson(1, 60) ** 2])
    cells = [str(number) for number in numbers]
    # The mean of a figure that is the number itself must lie within the ends in the part's name.
    found = divide(cells, [float(cell) for cell in cells], resamples=0)
    assert sum(part.n for part in found) == 60
    ends = sorted([float(end) for end in part.value.split(" to ")] for part in found)
    assert all(one[-1] < other[0] for one, other in pairwise(ends))
    for part in found:
        own = [float(end) for end in part.value.split(" to ")]
        assert part.n == sum(own[0] <= float(cell) <= own[-1] for cell in cells)
        assert own[0] - 1e-9 <= part.figures["dice"].value <= own[-1] + 1e-9


@pytest.mark.parametrize(("n", "small"), [(1, True), (9, True), (10, False)])
def test_fewer_than_ten_pictures_are_a_small_subgroup(n, small):
    assert Subgroup("sex", "female", n, n, {}).small is small
