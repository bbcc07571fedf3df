"""Pictures and masks find each other by id, under every set's names, and never by the order of a listing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lesionctl.dataset.pairs import Pair, image_id, list_images, mask_id, pair_folders
from lesionctl.errors import UsageError


def left_out(pairing):
    """The names of the files that found no partner: pictures, masks, those that share an id."""
    ambiguous = {name: sorted(path.name for path in paths) for name, paths in pairing.ambiguous.items()}
    return (
        [path.name for path in pairing.images_without_mask],
        [path.name for path in pairing.masks_without_image],
        ambiguous,
    )


NOTHING = ([], [], {})


@pytest.fixture
def folders(tmp_path):
    """A function that makes two folders of empty files; pairing reads names alone."""

    def make(images, masks):
        for folder, names in (("images", images), ("masks", masks)):
            (tmp_path / folder).mkdir()
            for name in names:
                (tmp_path / folder / name).touch()
        return tmp_path / "images", tmp_path / "masks"

    return make


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ISIC_0000000_Segmentation.png", "ISIC_0000000"),  # 2016
        ("ISIC_0000000_segmentation.png", "ISIC_0000000"),  # 2017, 2018, HAM10000
        ("IMD002_lesion.bmp", "IMD002"),  # PH2
        ("photo_mask.png", "photo"),
        ("photo_seg.png", "photo"),
        ("photo_MASK.PNG", "photo"),
        ("photo.png", "photo"),
        ("a_mask_1.png", "a_mask_1"),  # no ending
        ("a_mask_segmentation.png", "a_mask"),  # one ending is taken off, not two
        ("unmask.png", "unmask"),
    ],
)
def test_id_of_a_mask(name, expected):
    assert mask_id(Path("masks") / name) == expected


def test_id_of_a_picture_is_its_stem():
    assert image_id(Path("images/ISIC_0000000.jpg")) == "ISIC_0000000"
    assert image_id(Path("images/a.b.jpg")) == "a.b"


@pytest.mark.parametrize("ending", ["_Segmentation.png", "_segmentation.png", "_lesion.bmp", "_mask.png", ".png"])
def test_every_convention_pairs(folders, ending):
    images, masks = folders(["A.jpg", "B.JPG"], [f"A{ending}", f"B{ending}"])
    pairing = pair_folders(images, masks)
    assert pairing.pairs == [
        Pair("A", images / "A.jpg", masks / f"A{ending}"),
        Pair("B", images / "B.JPG", masks / f"B{ending}"),
    ]
    assert left_out(pairing) == NOTHING


def test_pairs_go_by_id_and_not_by_order(folders):
    images, masks = folders(["A.jpg", "B.jpg", "C.jpg"], ["B_mask.png", "C_mask.png", "D_mask.png"])
    pairing = pair_folders(images, masks)
    assert [(pair.id, pair.mask.name) for pair in pairing.pairs] == [("B", "B_mask.png"), ("C", "C_mask.png")]
    assert left_out(pairing) == (["A.jpg"], ["D_mask.png"], {})


def test_pairs_are_sorted_by_id(folders):
    names = [f"{n}" for n in (10, 9, 2, 1)]
    images, masks = folders([f"{n}.jpg" for n in names], [f"{n}.png" for n in reversed(names)])
    assert [pair.id for pair in pair_folders(images, masks).pairs] == ["1", "10", "2", "9"]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["A.jpg", "A.png"], ["A_mask.png"]),
        (["A.jpg"], ["A_mask.png", "A_segmentation.png", "A.png"]),
        (["A.jpg", "A.png"], []),
        ([], ["A_mask.png", "A.png"]),
    ],
)
def test_duplicates_are_all_left_out_because_none_is_the_right_one(folders, images, masks):
    pairing = pair_folders(*folders(images, masks))
    assert pairing.pairs == []
    assert left_out(pairing) == ([], [], {"A": sorted(images + masks)})


def test_superpixels_hidden_files_tables_and_folders_are_passed_over(folders):
    images, masks = folders(
        ["A.jpg", "A_superpixels.png", "._A.jpg", ".DS_Store", "ISIC-2017_metadata.csv", "ATTRIBUTION.txt"],
        ["A_segmentation.png", "._A_segmentation.png", "Thumbs.db"],
    )
    (images / "folder.jpg").mkdir()
    pairing = pair_folders(images, masks)
    assert [pair.id for pair in pairing.pairs] == ["A"]
    assert left_out(pairing) == NOTHING


def test_pictures_and_masks_may_share_a_folder(folders):
    images, _ = folders(["A.jpg", "A_lesion.bmp", "B.png", "B_mask.png", "C.png"], [])
    pairing = pair_folders(images, images)
    assert [(pair.image.name, pair.mask.name) for pair in pairing.pairs] == [
        ("A.jpg", "A_lesion.bmp"),
        ("B.png", "B_mask.png"),
    ]
    assert left_out(pairing) == (["C.png"], [], {})


def test_listing_is_sorted_and_goes_down_only_on_request(tmp_path):
    for name in ("b.jpg", "a.TIFF", "c.txt", "deep/d.webp", "deep/__MACOSX/._e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.TIFF", "b.jpg"]
    assert [path.name for path in list_images(tmp_path, recursive=True)] == ["a.TIFF", "b.jpg", "d.webp"]


def test_files_in_hidden_folders_are_hidden(tmp_path):
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "a.jpg").touch()
    assert list_images(tmp_path, recursive=True) == []


def test_missing_folder_is_a_usage_error(tmp_path):
    (tmp_path / "file.jpg").touch()
    with pytest.raises(UsageError, match="missing is not a folder"):
        list_images(tmp_path / "missing")
    with pytest.raises(UsageError, match=r"file\.jpg is not a folder"):
        pair_folders(tmp_path / "file.jpg", tmp_path)


def test_link_that_leads_nowhere_is_listed_and_a_folder_is_not(tmp_path):
    (tmp_path / "a.jpg").symlink_to("gone.jpg")
    (tmp_path / "b.jpg").symlink_to("b.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "c.jpg").symlink_to("folder.jpg")
    assert [path.name for path in list_images(tmp_path)] == ["a.jpg", "b.jpg"]


def test_subfolder_that_cannot_be_looked_into_is_listed_and_the_folder_itself_refused(tmp_path, monkeypatch):
    for name in ("a.jpg", "shut/b.jpg", "z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(folder):
        if folder.name == "shut":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [path.name for path in list_images(tmp_path, recursive=True)] == ["a.jpg", "shut", "z.jpg"]
    with pytest.raises(UsageError, match=r"shut cannot be read \(Permission denied\)"):
        list_images(tmp_path / "shut")
