"""From archives to the folder that `prepare` takes, and the record of what is there."""

from __future__ import annotations

import csv
import json

import pytest

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.catalog import FetchSet, Kind, Piece, load_catalog
from lesionctl.fetch.local import Supply
from lesionctl.fetch.record import SetRecord
from lesionctl.fetch.unpack import add_piece, claim, require_free
from lesionctl.progress import Silent

from .conftest import make_zip, remote_file

IMAGES, MASKS, METADATA = frozenset({Kind.IMAGES}), frozenset({Kind.MASKS}), frozenset({Kind.METADATA})
PH2 = load_catalog()["ph2"]


def never(first):
    raise AssertionError("nobody else is here")


def a_set(*files, splits=None):
    return FetchSet(
        "tiny",
        "Tiny",
        "noise",
        "CC0-1.0",
        "some more",
        "Somebody",
        "A paper.",
        splits or {"train": 2, "test": 1},
        files,
    )


@pytest.fixture
def add(tmp_path):
    """Unpack a zip of `members` as a file of a set; the folder that it went to."""

    def run(members, kinds, *, part="train", name="a.zip", entry=None, wanted=None, **changes):
        path = tmp_path / name
        path.write_bytes(make_zip(members) if isinstance(members, dict) else members)
        file = remote_file(b"", name=name, part=part, kinds=kinds, **changes)
        entry = entry or a_set(file)
        with claim(tmp_path / "set", entry, never) as record:
            add_piece(record, entry, Piece(file, wanted or kinds), Supply(path, None), Silent())
        return tmp_path / "set"

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def table(folder):
    with (folder / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_pictures_masks_tables_and_terms(add):
    members = {
        "ISIC-2017_Training_Data/ISIC_1.jpg": b"1",
        "ISIC-2017_Training_Data/ISIC_1_superpixels.png": b"not a picture",
        "ISIC-2017_Training_Data/ISIC_2.JPG": b"2",
        "ISIC-2017_Training_Data/ISIC-2017_Training_Data_metadata.csv": b"image_id,age,sex\nISIC_1,55,female\n",
        "ISIC-2017_Training_Data/LICENSE.txt": b"CC-0",
        "ISIC-2017_Training_Data/.DS_Store": b"",
        "__MACOSX/ISIC-2017_Training_Data/._ISIC_1.jpg": b"",
    }
    folder = add(members, IMAGES)
    add({"x/ISIC_1_Segmentation.png": b"m", "x/ISIC_2_Segmentation.png": b"m"}, MASKS, name="m.zip")
    assert names(folder / "images") == ["ISIC_1.jpg", "ISIC_2.JPG"]
    assert names(folder / "masks") == ["ISIC_1_Segmentation.png", "ISIC_2_Segmentation.png"]
    assert names(folder) == [".lock", "CITATION.txt", "LICENCE.txt", "images", "masks", "metadata.csv", "set.json"]
    assert table(folder) == [
        {"image_id": "ISIC_1", "split": "train", "age": "55", "sex": "female"},
        {"image_id": "ISIC_2", "split": "train", "age": "", "sex": ""},
    ]
    assert (folder / "LICENCE.txt").read_text() == "Tiny\n\nLicence: CC0-1.0\nsome more\nAttribution: Somebody\n"
    assert (folder / "CITATION.txt").read_text() == "A paper.\n"


def test_splits_add_up(add):
    add({"ISIC_1.jpg": b"1"}, IMAGES)
    folder = add({"ISIC_2.jpg": b"2"}, IMAGES, part="test", name="b.zip")
    assert [(row["image_id"], row["split"]) for row in table(folder)] == [("ISIC_1", "train"), ("ISIC_2", "test")]
    record = SetRecord.read(folder)
    assert set(record.files) == {"a.zip", "b.zip"}
    assert (record.count(Kind.IMAGES), record.count(Kind.MASKS)) == (2, 0)


def test_a_set_without_official_splits_has_no_column_for_them(add):
    entry = a_set(remote_file(b"", part="all"), splits={"all": 2})
    add({"ISIC_2.jpg": b""}, IMAGES, part="all", entry=entry)
    folder = add(b"lesion_id,image_id,dx\nHAM_1,ISIC_2,nv\n", METADATA, part="all", name="meta.csv", entry=entry)
    assert table(folder) == [{"image_id": "ISIC_2", "lesion_id": "HAM_1", "dx": "nv"}]


def test_ph2_pictures_and_masks_come_out_of_its_folders_and_nothing_else(add):
    top = "PH2Dataset/PH2 Dataset images/IMD002"
    members = {
        f"{top}/IMD002_Dermoscopic_Image/IMD002.bmp": b"picture",
        f"{top}/IMD002_lesion/IMD002_lesion.bmp": b"mask",
        f"{top}/IMD002_roi/IMD002_R1_Label3.bmp": b"region",
        "PH2Dataset/PH2_dataset.xlsx": b"table",
    }
    (file,) = PH2.files
    folder = add(members, file.kinds, part="all", name="PH2.zip", patterns=file.patterns, entry=PH2)
    assert (folder / "images" / "IMD002.bmp").read_bytes() == b"picture"
    assert (folder / "masks" / "IMD002_lesion.bmp").read_bytes() == b"mask"
    assert names(folder / "images") + names(folder / "masks") == ["IMD002.bmp", "IMD002_lesion.bmp"]
    assert table(folder) == [{"image_id": "IMD002"}]


def test_masks_first_and_pictures_later_from_one_archive(add):
    members = {"IMD1_Dermoscopic_Image/IMD1.bmp": b"1", "IMD1_lesion/IMD1_lesion.bmp": b"2"}
    (file,) = PH2.files
    as_ph2 = {"part": "all", "name": "PH2.zip", "patterns": file.patterns, "entry": PH2}
    folder = add(members, file.kinds, wanted=MASKS, **as_ph2)
    assert names(folder / "images") == []
    (left,) = SetRecord.read(folder).missing([Piece(file, file.kinds)])
    assert left.kinds == IMAGES
    add(members, file.kinds, wanted=left.kinds, **as_ph2)
    record = SetRecord.read(folder)
    assert record.missing([Piece(file, file.kinds)]) == []
    assert (record.count(Kind.IMAGES), record.count(Kind.MASKS)) == (1, 1)


def test_two_members_for_one_name_are_named_and_nothing_is_noted(add, tmp_path):
    with pytest.raises(BadFile) as raised:
        add({"a/ISIC_1.jpg": b"1", "b/ISIC_1.jpg": b"2"}, IMAGES)
    assert "a/ISIC_1.jpg" in raised.value.reason
    assert "b/ISIC_1.jpg" in raised.value.reason
    assert SetRecord.read(tmp_path / "set").files == {}


def test_an_archive_without_anything_of_the_set_is_refused(add):
    with pytest.raises(BadFile, match="holds no images of tiny"):
        add({"readme.txt": b""}, IMAGES)


@pytest.mark.parametrize("text", [b"a,b\n1,2\n", b"image_id\n1,2\n", b"\xff\xfe", b""])
def test_a_table_without_picture_ids_is_refused(add, text):
    with pytest.raises(BadFile, match="is no table of metadata"):
        add(text, METADATA, name="meta.csv")


def test_a_folder_takes_one_set(tmp_path):
    folder = tmp_path / "set"
    require_free(folder, PH2)
    folder.mkdir()
    require_free(folder, PH2)
    (folder / "thesis.tex").write_text("")
    with pytest.raises(LesionctlError, match="exists already, and holds something else"):
        require_free(folder, PH2)
    with pytest.raises(LesionctlError, match="exists already, and holds something else"):
        require_free(folder / "thesis.tex", PH2)
    SetRecord(folder, "isic2018").write()
    with pytest.raises(LesionctlError, match="holds isic2018, not ph2"):
        require_free(folder, PH2)


def test_what_a_killed_run_left_is_cleared_away(add, tmp_path):
    folder = add({"ISIC_1.jpg": b"1"}, IMAGES)
    (folder / ".tables").mkdir()
    for name in ("images/.0123.part", ".tables/x_metadata.csv", ".set.json.x.part"):
        (folder / name).write_text("rest")
    add({"ISIC_2.jpg": b"2"}, IMAGES, name="b.zip")
    assert names(folder / "images") == ["ISIC_1.jpg", "ISIC_2.jpg"]
    assert names(folder) == [".lock", "CITATION.txt", "LICENCE.txt", "images", "metadata.csv", "set.json"]


def test_pictures_that_were_removed_count_as_missing(add):
    folder = add({"ISIC_1.jpg": b"1", "ISIC_2.jpg": b"2"}, IMAGES)
    assert set(SetRecord.read(folder).files) == {"a.zip"}
    (folder / "images" / "ISIC_1.jpg").unlink()
    assert SetRecord.read(folder).files == {}


def test_a_number_of_pictures_that_is_not_the_published_one_is_told(add):
    entry = a_set(remote_file(b"", part="train"), splits={"train": 2})
    folder = add({"ISIC_1.jpg": b"1"}, IMAGES, entry=entry)
    assert SetRecord.read(folder).unexpected_counts(entry) == ["tiny:train has 1 images, where 2 were published"]


@pytest.mark.parametrize("text", ["{", "[]", '{"set": "x"}', '{"set": "x", "files": {"a": {}}, "drawn": {}}'])
def test_a_record_that_is_none_is_named(tmp_path, text):
    (tmp_path / "set.json").write_text(text)
    with pytest.raises(BadFile, match="is no record of a fetched set"):
        SetRecord.read(tmp_path)


def test_the_record_holds_what_the_files_were_known_by(tmp_path):
    from lesionctl.fetch.checksums import hash_file

    (tmp_path / "a.zip").write_bytes(make_zip({"ISIC_1.jpg": b"1"}))
    digests = hash_file(tmp_path / "a.zip").digests()
    file = remote_file(b"")
    with claim(tmp_path / "set", a_set(file), never) as record:
        add_piece(record, a_set(file), Piece(file, IMAGES), Supply(tmp_path / "a.zip", digests), Silent())
    noted = json.loads((tmp_path / "set" / "set.json").read_text())["files"]["a.zip"]
    assert noted == {
        "part": "train",
        "kinds": ["images"],
        "images": 1,
        "masks": 0,
        "source": str(tmp_path / "a.zip"),
        "digests": {"size": digests.size, "md5": digests.md5, "sha256": digests.sha256},
    }
    assert SetRecord.read(tmp_path / "set").files["a.zip"].digests == digests
