"""Which masks are flagged, and by what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionctl.imaging.familiarity import Familiarity, describe_view
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.predict.review import Flag, find_signs, review
from lesionctl.runtime.stream import Segmented

SIZE = 64


def disc(radius, centre=(0.5, 0.5), height=120, width=160):
    """A mask of a disc; radius as a share of the height, centre as shares of height and width."""
    y, x = np.mgrid[:height, :width]
    return np.hypot(y - centre[0] * height, x - centre[1] * width) < radius * height


def segmented(frame, view, probability, spread):
    """What the network saw and said of a picture."""
    return Segmented(Path("a.jpg"), frame, view, probability, spread, image=None, seconds=0.1)


@pytest.fixture
def judge(tiny_spec):
    """A function that reviews a mask as if the network had been sure of it, or as unsure as it is told."""

    def judge(mask, *, undecided=0, spread=None, view=None, spec=tiny_spec):
        frame = spec.frame(*mask.shape)
        probability = frame.shrink_mask(mask).astype(np.float32)
        probability.ravel()[:undecided] = 0.5
        view = np.full((SIZE, SIZE, 3), 128, np.uint8) if view is None else view
        return review(mask, segmented(frame, view, probability, spread), spec)

    return judge


def test_a_plain_mask_is_not_flagged_and_is_trusted(judge):
    found = judge(disc(0.25))
    assert found.flags == ()
    assert found.confidence == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("mask", "flags"),
    [
        (disc(0), (Flag.NOTHING,)),
        (disc(0.25, (0.5, 0.3)) | disc(0.07, (0.5, 0.8)), (Flag.SEVERAL,)),  # the smaller is 7 % of both
        (disc(0.25, (0.5, 0.3)) | disc(0.04, (0.5, 0.8)), ()),  # 2.5 %
        (disc(0.05), (Flag.SMALL,)),  # 0.6 % of the picture
        (disc(0.09), ()),  # 1.9 %
        (disc(0.4, (0.5, 0.0)), ()),  # 96 of the 560 pixels of the border
        (disc(0.6, (0.5, 0.0)), (Flag.BORDER,)),  # the whole left side and a little more
        (~disc(0), (Flag.BORDER, Flag.FILLING)),
        (~disc(0.1), (Flag.BORDER, Flag.FILLING)),  # 97.6 % of the picture
        (disc(0.04, (0.5, 0.2)) | disc(0.04, (0.5, 0.8)), (Flag.SEVERAL, Flag.SMALL)),
    ],
    ids=["nothing", "two regions", "a speck", "very small", "small", "side", "border", "everything", "frame", "both"],
)
def test_masks_are_flagged_for_what_they_look_like(judge, mask, flags):
    assert judge(mask).flags == flags


def test_the_border_s_pixels_are_counted_at_the_mask_s_own_size(judge, tiny_spec):
    mask = disc(0.2, (0.5, 0.5), 1000, 2000)
    mask[0, :1201] = True  # a line too thin for the network's scale: 1201 of the 6000 pixels of the border
    assert Flag.BORDER in judge(mask).flags
    mask[0, 1190:] = False
    assert Flag.BORDER not in judge(mask).flags


@pytest.mark.parametrize(
    ("limit", "undecided", "confidence", "flags"),
    [
        (0.8, 0, 1.0, ()),
        (0.8, 100, 0.889, ()),  # of 804 pixels of lesion: 804 / 904
        (0.8, 400, 0.668, (Flag.UNSURE,)),
        (None, 400, 0.668, ()),
    ],
)
def test_confidence_below_the_model_s_limit_is_flagged(judge, tiny_spec, limit, undecided, confidence, flags):
    found = judge(disc(0.25, height=160), undecided=undecided, spec=replace(tiny_spec, confidence_limit=limit))
    assert found.confidence == pytest.approx(confidence, abs=0.02)
    assert found.flags == flags


def test_nothing_found_is_trusted_least_and_not_flagged_twice(judge, tiny_spec):
    found = judge(disc(0), spec=replace(tiny_spec, confidence_limit=0.8))
    assert (found.confidence, found.flags) == (0, (Flag.NOTHING,))


@pytest.mark.parametrize(("share", "flags"), [(0.05, ()), (0.15, (Flag.DISAGREE,))])
def test_views_that_disagree_are_flagged_by_their_spread_beside_the_lesion_s_area(judge, share, flags):
    mask = disc(0.25, height=160)
    lesion = disc(0.25, height=SIZE, width=SIZE).sum()
    spread = np.full((SIZE, SIZE), share * lesion / SIZE**2, np.float32)
    assert judge(mask, spread=spread).flags == flags


def test_a_picture_unlike_those_learned_from_is_flagged(judge, tiny_spec):
    random = np.random.default_rng(0)
    views = [random.integers(level, level + 20, (SIZE, SIZE, 3), dtype=np.uint8) for level in range(100, 200)]
    descriptions = np.array([describe_view(view) for view in views])
    spec = replace(tiny_spec, familiar=Familiarity.of(descriptions[::2], descriptions[1::2]))
    assert judge(disc(0.25), view=views[7], spec=spec).flags == ()
    noise = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert judge(disc(0.25), view=noise, spec=spec).flags == (Flag.UNFAMILIAR,)
    assert judge(disc(0.25), view=noise, spec=tiny_spec).flags == ()


def test_the_margin_of_a_padded_picture_is_no_part_of_it(tiny_spec):
    spec = replace(tiny_spec, resize=ResizeRule.PAD)
    mask = ~disc(0, height=100, width=200)
    frame = spec.frame(*mask.shape)  # 32 of its 64 rows show the picture
    probability = np.full((SIZE, SIZE), 0.5, np.float32)
    probability[16:48] = 1
    spread = np.zeros((SIZE, SIZE), np.float32)
    spread[:16] = 1
    view = np.zeros((SIZE, SIZE, 3), np.uint8)
    signs = find_signs(mask, segmented(frame, view, probability, spread), spec)
    assert signs.area == 1
    assert signs.confidence == pytest.approx(1, abs=1e-3)
    assert signs.disagreement == 0


def test_flags_read_as_words(judge):
    assert [str(flag) for flag in judge(~disc(0)).flags] == ["touches the border", "frame-filling"]
