from __future__ import annotations

import io
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.errors import MissingExtra
from lesionctl.plots.difference import difference_plot
from lesionctl.plots.distribution import distribution_plot
from lesionctl.plots.figure import COLOURS, INK, line, shown_name, to_png, to_svg

VALUES = {"one": [0.2, 0.8, 0.9], "two": [0.5, 0.6, 0.7]}


def _luminance(colour):
    shares = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def _contrast(one, other):
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)  # WCAG 2


@pytest.mark.parametrize("colour", [colour for colour in COLOURS if colour != INK])
@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])
def test_colours_are_legible_on_a_white_and_on_a_dark_page(colour, ground):
    assert _contrast(colour, ground) >= 3  # what WCAG asks of graphics


def test_ink_on_white_paper_is_dark_enough_for_text():
    assert _contrast(INK, "#ffffff") >= 7


def test_sides_differ_in_colour_dashes_and_marker():
    lines = [line(side) for side in range(30)]
    assert len(set(lines)) == 30
    for one, other in pairwise(lines):
        assert all(ours != theirs for ours, theirs in zip(one, other, strict=True))


def test_svg_scales_is_named_and_takes_the_colour_of_the_page(inline):
    alt = 'two <sides> & "a figure"'
    svg = inline(distribution_plot(VALUES, "Dice"), alt)
    assert svg.text.startswith("<svg ")
    assert svg.text.endswith("</svg>")
    assert svg.root.attrib.items() >= {"role": "img", "aria-label": alt, "width": "100%"}.items()
    assert "height" not in svg.root.attrib
    assert svg.root.get("viewBox").startswith("0 0 360 ")
    assert (svg.root[0].tag.endswith("title"), svg.root[0].text) == (True, alt)
    assert "<style" not in svg.text  # it would hold for the whole page
    assert "<metadata" not in svg.text
    assert "font-family" not in "".join(element.get("style", "") for element in svg.root.iter())
    assert "stroke: currentColor" in svg.text


def test_the_same_figure_gives_the_same_svg_whatever_was_written_before():
    pytest.importorskip("matplotlib")
    figure = distribution_plot(VALUES, "Dice")
    first = to_svg(figure, "a")
    to_png(figure)
    assert to_svg(figure, "a") == first == to_svg(distribution_plot(VALUES, "Dice"), "a")


def test_ids_of_two_plots_of_a_page_are_disjoint(inline):
    one = inline(distribution_plot(VALUES, "Dice"))
    other = inline(distribution_plot({**VALUES, "two": [0.5, 0.6, 0.71]}, "Dice"))
    assert one.ids
    assert not one.ids & other.ids


def test_names_with_any_characters_stand_in_the_svg_as_they_are(inline):
    names = ["$x$ of _y_", "_hidden", "a < b & c", "病变分割", "torn\x1b[0m"]
    svg = inline(distribution_plot({name: [0.5, 1] for name in names}, "Dice"))
    assert [word.removesuffix(" · median 0.75") for word in svg.words if "median" in word] == [
        "$x$ of _y_", "_hidden", "a < b & c", "病变分割", "torn\ufffd[0m",
    ]  # fmt: skip


def test_a_name_like_the_ink_stays_a_name(inline):
    svg = inline(difference_plot([f"stroke: {INK[:-1]}"], [0.1], [None]), alt="fill: #2b2c2")
    assert "stroke: #2b2c2" in svg.words
    assert svg.root[0].text == "fill: #2b2c2"


def test_long_names_lose_their_middle():
    assert shown_name("x" * 46) == "x" * 46
    assert shown_name("runs/" + "x" * 60 + "/last") == "runs/" + "x" * 17 + "…" + "x" * 17 + "/last"
    assert shown_name("abcdefgh", room=5) == "ab…gh"


def test_png_is_on_white_and_as_large_as_asked():
    pytest.importorskip("matplotlib")
    figure = difference_plot(["a", "b"], [0.1, -0.1], [None, None])
    with Pillow.open(io.BytesIO(to_png(figure, dpi=100))) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (500, 179))  # 5 by 1.79 inches
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


def test_a_persons_own_matplotlib_settings_change_nothing_and_stay():
    matplotlib = pytest.importorskip("matplotlib")
    plain = to_svg(distribution_plot(VALUES, "Dice"), "a")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "pink", "svg.fonttype": "path"}):
        assert to_svg(distribution_plot(VALUES, "Dice"), "a") == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match="drawing plots needs the package 'matplotlib'") as caught:
        distribution_plot(VALUES, "Dice")
    assert caught.value.hint == "pip install 'lesionctl[plot]'"


def test_pyplot_is_not_needed(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # whoever imports it now fails
    figure = distribution_plot(VALUES, "Dice")
    assert to_png(figure).startswith(b"\x89PNG")
    assert to_svg(figure, "a").startswith("<svg")
