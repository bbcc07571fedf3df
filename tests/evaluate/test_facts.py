"""What is known of pictures beside their scores, at the cuts of each class and with tables as people have them."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile, UsageError
from lesionctl.evaluate.facts import automatic_facts, read_columns, skin_tone_of, skin_tones_of_store
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


@pytest.fixture
def write_table(tmp_path):
    """A function that writes a table and returns its path."""

    def write(text, name="metadata.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_columns_of_a_spreadsheets_table_by_id(write_table):
    table = write_table("\ufeffisic_id,sex,age\r\nA,female, 45 \r\nB,,50\r\nC,unknown,NA\r\n")
    assert read_columns([table], ["sex", "age"]) == {"A": {"sex": "female", "age": "45"}, "B": {"age": "50"}, "C": {}}
    assert read_columns([table], ["age"])["A"] == {"age": "45"}


def test_first_row_that_says_something_is_right(write_table):
    one = write_table("image_id,sex\nA,\nA,female\nA,male\nB,NA\n", "one.csv")
    other = write_table("site,id,sex\narm,A,male\nleg,B,male\narm,D,female\n", "other.csv")
    assert read_columns([one, other], ["sex", "site"]) == {
        "A": {"sex": "female", "site": "arm"},
        "B": {"sex": "male", "site": "leg"},
        "D": {"sex": "female", "site": "arm"},
    }


def test_rows_without_an_id_are_no_pictures(write_table):
    table = write_table("id,sex\n,male\nA,female\n  \n")
    assert read_columns([table], ["sex"]) == {"A": {"sex": "female"}}


def test_ids_are_compared_as_they_are_written(write_table):
    table = write_table("id,sex\nISIC_0000001_downsampled,male\nisic_0000002,male\n003,male\n")
    assert set(read_columns([table], ["sex"])) == {"ISIC_0000001_downsampled", "isic_0000002", "003"}


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("age", "some near names: age_approx"),
        ("Anatom_Site", "some near names: anatom_site_general"),
        ("SEX", "some near names: sex"),
        ("hospital", "there are: isic_id, age_approx, sex, anatom_site_general"),
    ],
)
def test_column_that_no_table_has_is_named_with_near_ones(write_table, column, hint):
    tables = [write_table("isic_id,age_approx\nA,45\n", "1.csv"), write_table("isic_id,sex,anatom_site_general\nA,,\n")]
    with pytest.raises(UsageError, match=f"no table of metadata has the column '{column}'") as caught:
        read_columns(tables, ["sex", column])
    assert caught.value.hint == hint


def test_column_without_any_table_hints_at_metadata():
    with pytest.raises(UsageError, match="no table of metadata has the column 'sex'") as caught:
        read_columns([], ["sex"])
    assert caught.value.hint == "name the table with --metadata FILE.csv"


def test_column_that_is_there_but_says_nothing_is_no_mistake(write_table):
    assert read_columns([write_table("id,sex\nA,\n")], ["sex"]) == {"A": {}}


def test_table_that_cannot_be_read_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match=r"none\.csv"):
        read_columns([tmp_path / "none.csv"], ["sex"])
