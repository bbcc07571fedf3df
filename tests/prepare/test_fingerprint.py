"""The table of colours and the summary of a set, against values worked out by hand."""

from __future__ import annotations

import csv
import json

import pytest

from lesionctl.imaging.appearance import Appearance
from lesionctl.prepare.fingerprint import format_fingerprints, from_json, summarise, to_json

LIGHT = Appearance((0.2, 0.4, 0.6), (0, 0, 0), (70.0, 12.0, 20.0), (40.0, 15.0, 10.0))
DARK = Appearance((0.4, 0.4, 0.8), (0, 0.3, 0), (40.0, 10.0, 10.0), None)
UNKNOWN = Appearance((0.3, 0.4, 0.7), (0, 0, 0), None, None)


def test_row_of_the_table(make_sample):
    text = format_fingerprints([make_sample("A", lesion_fraction=0.25), make_sample("B")], [LIGHT, UNKNOWN])
    first, second = csv.DictReader(text.splitlines())
    assert first == {
        "id": "A", "source": "set", "split": "train", "height": "20", "width": "30", "aspect_ratio": "1.5",
        "lesion_fraction": "0.25", "mean_red": "0.2", "mean_green": "0.4", "mean_blue": "0.6",
        "std_red": "0", "std_green": "0", "std_blue": "0", "skin_l": "70.0", "skin_a": "12.0", "skin_b": "20.0",
        "lesion_l": "40.0", "lesion_a": "15.0", "lesion_b": "10.0", "ita": "45.0", "skin_tone": "light",
    }  # fmt: skip
    assert {name for name, value in second.items() if not value} == {
        "skin_l", "skin_a", "skin_b", "lesion_l", "lesion_a", "lesion_b", "ita", "skin_tone",
    }  # fmt: skip


def test_summary_of_a_set(make_sample):
    samples = [make_sample(height=height, width=30, lesion_fraction=height / 100) for height in (10, 20, 30)]
    found = summarise(samples, [LIGHT, DARK, UNKNOWN])
    assert found["pictures"] == 3
    assert found["height"] == {"p5": 11, "p25": 15, "p50": 20, "p75": 25, "p95": 29}
    assert found["aspect_ratio"]["p50"] == 1.5
    assert found["lesion_fraction"]["p95"] == 0.29
    assert found["ita_degrees"]["p50"] == 0  # of 45 and −45
    assert found["skin_tones"] == {"light": 1, "dark": 1}
    assert found["channel_mean"] == [0.3, 0.4, 0.7]
    # Red: (0.2, 0.4, 0.3) has a variance of 0.02 / 3. Green: one of three has a variance of 0.09.
    assert found["channel_std"] == pytest.approx([0.08165, 0.17321, 0.08165])


def test_summary_of_equal_pictures_has_no_spread(make_sample):
    shades = (0.1, 0.7, 1 / 3)
    found = summarise([make_sample()] * 3, [Appearance(shades, (0, 0, 0), None, None)] * 3)
    assert found["channel_std"] == [0, 0, 0]
    assert (found["ita_degrees"], found["skin_tones"]) == ({}, {})
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("look", [LIGHT, DARK, UNKNOWN])
def test_appearance_goes_through_json_unchanged(look):
    assert from_json(json.loads(json.dumps(to_json(look)))) == look
