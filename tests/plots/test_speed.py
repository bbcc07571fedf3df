from __future__ import annotations

import itertools

import pytest

pytest.importorskip("matplotlib")

from matplotlib.text import Annotation

from lesionctl.plots.figure import COLOURS, to_png
from lesionctl.plots.speed import SpeedPoint, speed_plot

CASES = [
    SpeedPoint("lesion-s", "torch fp32", 31, 0.9163, (0.907, 0.925), (30, 32)),
    SpeedPoint("lesion-s", "torch bf16", 58, 0.9161, (0.907, 0.925)),
    SpeedPoint("lesion-s", "openvino fp32", 62, 0.9163, (0.907, 0.925)),
    SpeedPoint("lesion-s", "openvino bf16", 1180, 0.9160, (0.907, 0.925)),
    SpeedPoint("deeplabv3plus", "torch fp32", 4.87, 0.9182, (0.909, 0.927)),
]


def _numbers(figure):
    return [text for text in figure.axes[0].get_children() if isinstance(text, Annotation)]


def test_each_case_is_numbered_and_told_with_both_figures(inline):
    svg = inline(speed_plot(CASES, title="predict all, on an EPYC"))
    assert {
        "1  lesion-s · torch fp32 · 31/s · 0.9163",
        "4  lesion-s · openvino bf16 · 1,180/s · 0.9160",
        "5  deeplabv3plus · torch fp32 · 4.87/s · 0.9182",
        "predict all, on an EPYC",
        "Dice: mean per image",
        "Dice",
    } <= set(svg.words)
    assert {"1", "2", "3", "4", "5"} <= set(svg.words)


def test_a_long_name_goes_on_in_the_next_line_at_a_word(inline):
    names = ["lesion-s-int8-calibrated.onnx", "onnxruntime int8 cpu batch 8", "m" * 60]
    points = [SpeedPoint(names[0], names[1], 31, 0.9163), SpeedPoint(names[2], "torch fp32", 3, 0.5)]
    words = set(inline(speed_plot(points)).words)
    assert {"1  lesion-s-int8-calibrated.onnx · onnxruntime int8 cpu", "    batch 8 · 31/s · 0.9163"} <= words
    assert any("…" in word for word in words)  # no word is that long


def test_a_dice_of_nothing_is_not_drawn_below_nothing():
    low, high = speed_plot([SpeedPoint("m", "", 1, 0.0)]).axes[0].get_ylim()
    assert low == -0.005
    assert high == pytest.approx(0.01)


def test_models_are_told_apart_by_colour_and_intervals_are_bars(inline):
    svg = inline(speed_plot(CASES))
    assert svg.lines(COLOURS[0]) == 4 + 1  # four intervals of Dice and one of speed
    assert svg.lines(COLOURS[1]) == 1


@pytest.mark.parametrize("spread", [1.4, 1.06, 1.0])
def test_numbers_hide_no_point_and_no_other_number_however_near_the_cases_are(spread):
    points = [SpeedPoint("m", str(case), 30 * spread**case, 0.9163 - 1e-5 * case) for case in range(6)]
    figure = speed_plot(points)
    boxes = [number.get_window_extent() for number in _numbers(figure)]
    assert len(boxes) == 6
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    places = figure.axes[0].transData.transform([(point.images_per_second, point.dice) for point in points])
    assert not any(box.contains(*place) for box in boxes for place in places)


def test_the_axis_of_speed_has_numbers_that_people_read():
    axes = speed_plot(CASES).axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "30", "100", "300", "1,000"]
    narrow = speed_plot([CASES[1], CASES[2]]).axes[0]
    assert [label.get_text() for label in narrow.get_xticklabels()] == ["40", "50", "60", "70", "80"]


def test_thousandths_of_dice_do_not_fill_the_axis():
    bare = [point._replace(dice_interval=None, speed_interval=None) for point in CASES[:4]]
    low, high = speed_plot(bare).axes[0].get_ylim()
    assert high - low == pytest.approx(0.02)
    assert low < 0.9160 < 0.9163 < high


def test_one_case_alone_without_intervals_can_be_drawn():
    assert to_png(
        speed_plot([SpeedPoint("a model of a very long name that is not to run out", "", 0.02, 1.0)])
    ).startswith(b"\x89PNG")
