"""What is known of pictures beside their scores, at the cuts of each class."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile
from lesionctl.evaluate.facts import AUTOMATIC, automatic_facts, skin_tone_of, skin_tones_of_store
from lesionctl.imaging.masks import read_mask


def mask_with(lesion, height, width):
    """A mask of so many lesion pixels, none of them at its border."""
    mask = np.zeros((height, width), bool)
    inner = np.zeros((height - 2, width - 2), bool)
    inner.flat[:lesion] = True
    mask[1:-1, 1:-1] = inner
    return mask


@pytest.mark.parametrize(
    ("lesion", "expected"),
    [
        (0, "no lesion"),
        (1, "under 5 % of the picture"),
        (499, "under 5 % of the picture"),
        (500, "5 to 20 %"),  # 5 % exactly
        (2_000, "5 to 20 %"),  # 20 % exactly
        (2_001, "over 20 %"),
        (9_604, "over 20 %"),
    ],
)
def test_lesion_area_at_its_cuts(lesion, expected):
    assert automatic_facts(mask_with(lesion, 100, 100))["lesion area"] == expected


def test_full_mask_is_over_a_fifth_and_touches_the_border():
    facts = automatic_facts(np.ones((10, 10), bool))
    assert (facts["lesion area"], facts["touches the border"]) == ("over 20 %", "yes")
    assert set(facts) < set(AUTOMATIC)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((0, 4), "yes"), ((7, 4), "yes"), ((3, 0), "yes"), ((3, 9), "yes"), ((0, 0), "yes"), ((7, 9), "yes"),
        ((1, 1), "no"), ((6, 8), "no"), (None, "no"),
    ],
)  # fmt: skip
def test_one_pixel_at_the_border_touches_it(pixel, expected):
    mask = np.zeros((8, 10), bool)
    if pixel:
        mask[pixel] = True
    assert automatic_facts(mask)["touches the border"] == expected


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (1, 499_999, "under 0.5 megapixels"),
        (500, 1_000, "0.5 to 2 megapixels"),
        (1, 1_999_999, "0.5 to 2 megapixels"),
        (1_000, 2_000, "2 to 8 megapixels"),
        (2_000, 4_000, "2 to 8 megapixels"),
        (1, 8_000_001, "over 8 megapixels"),
        (4_640, 6_720, "over 8 megapixels"),
    ],
)
def test_picture_size_at_its_cuts(height, width, expected):
    assert automatic_facts(np.zeros((height, width), bool))["picture size"] == expected


def test_skin_tones_of_a_store_are_those_that_it_was_prepared_with(store_path):
    store = open_store(store_path)
    rows = csv.DictReader((store_path / "fingerprint.csv").open())
    expected = {(row["source"], row["id"]): row["skin_tone"] for row in rows if row["skin_tone"]}
    assert skin_tones_of_store(store) == expected
    assert len(expected) == 11  # of 12 pictures; one lesion fills its picture
    assert set(expected.values()) <= {"very light", "light", "intermediate", "tan", "brown", "dark"}


@pytest.fixture
def own_store(store_path, tmp_path):
    """A copy of the store that a test may spoil."""
    return open_store(shutil.copytree(store_path, tmp_path / "store"))


def test_store_without_fingerprint_knows_no_skin_tones(own_store):
    (own_store.path / "fingerprint.csv").unlink()
    assert skin_tones_of_store(own_store) == {}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text.replace("skin_tone", "tone", 1), "it has no column 'skin_tone'"),
        (lambda text: text.replace("id,", "name,", 1), "it has no column 'id'"),
        (lambda text: text[: text.index("\n", 400)].rsplit(",", 1)[0] + ",very li\n", r"'very li' is no skin tone"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "it has no row for .* of demo"),
        (lambda text: text.splitlines()[0], "it has no row for .* of demo"),
        (lambda text: text + "a," * 30 + "\n", "more cells than the header"),
    ],
    ids=["no tones", "no ids", "a word cut off", "a row less", "the header alone", "a longer row"],
)
def test_broken_fingerprint_is_a_bad_file(own_store, spoil, reason):
    path = own_store.path / "fingerprint.csv"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(BadFile, match=rf"fingerprint\.csv.*: .*{reason}"):
        skin_tones_of_store(own_store)


def test_skin_tone_of_picture_files_is_that_of_the_prepared_set(store_path):
    store = open_store(store_path)
    prepared = skin_tones_of_store(store)
    same = [
        skin_tone_of(sample.image, read_mask(sample.mask)) == prepared.get((sample.source, sample.id))
        for sample in store.samples
    ]
    assert sum(same) >= 11  # of 12: one may lie so near to a cut that the store's smaller squares tell another class


def write_skin(path, height, width, colour=(225, 180, 160)):
    # (225, 180, 160) is L* 76.6, a* 13.2, b* 16.7 in CIELAB: arctan(26.6 / 16.7) = 57.9 degrees.
    Pillow.fromarray(np.full((height, width, 3), colour, np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", ["skin.png", "skin.jpg", "skin.tif"])
@pytest.mark.parametrize(("height", "width"), [(40, 60), (600, 1_100)])
def test_skin_tone_of_plain_skin(tmp_path, name, height, width):
    assert skin_tone_of(write_skin(tmp_path / name, height, width), np.zeros((height, width), bool)) == "very light"


def test_lesion_is_no_skin(tmp_path):
    image = np.full((300, 400, 3), (225, 180, 160), np.uint8)
    image[:250] = (90, 45, 45)
    Pillow.fromarray(image).save(tmp_path / "a.png")
    truth = np.zeros((300, 400), bool)
    assert skin_tone_of(tmp_path / "a.png", truth) == "dark"  # what is no lesion would be skin: L* 24
    truth[:250] = True
    assert skin_tone_of(tmp_path / "a.png", truth) == "very light"


def test_picture_without_skin_has_no_tone(tmp_path):
    assert skin_tone_of(write_skin(tmp_path / "a.png", 40, 60), np.ones((40, 60), bool)) is None


def test_picture_that_cannot_be_read_is_a_bad_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(BadFile, match=r"a\.jpg"):
        skin_tone_of(tmp_path / "a.jpg", np.zeros((4, 6), bool))


def test_picture_of_another_size_than_its_truth_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match=r"a\.png: 60×40 pixels, its truth 40×60"):
        skin_tone_of(write_skin(tmp_path / "a.png", 40, 60), np.zeros((60, 40), bool))
