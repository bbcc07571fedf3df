"""Each kind of finding, with what becomes of its pictures, in the table and on the page."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lesionctl.dataset.samples import Split
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.official import Overlap
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource

SMALL = PrepareOptions(size=32)


def splits_of(summary):
    return {(sample.source, sample.id): sample.split for sample in summary.samples}


def edit_mask(path, *squares, fill=False):
    """Replace a mask by one that is `fill` but for some squares (top, bottom, left, right)."""
    mask = np.full(read_mask(path).shape, fill)
    for top, bottom, left, right in squares:
        mask[top:bottom, left:right] = not fill
    path.write_bytes(encode_mask(mask))


@pytest.fixture
def troubled(make_set, write_picture):
    """Two sources with each kind of finding."""
    one = make_set("one", 40, "image_id,lesion_id,patient_id,group,split\nI05,L1,,,\nI06,L1,P1,,\nI07,,P1,,\n"
                   "I08,,,g,\nI09,,,g,\nI18,,,,train\n")  # fmt: skip
    images, masks = one.images, one.masks
    (images / "I00.jpg").write_bytes((images / "I00.jpg").read_bytes()[:-200])
    (masks / "I01_segmentation.png").unlink()
    (images / "I02.jpg").unlink()
    shutil.copy(images / "I03.jpg", images / "I03.jpeg")
    edit_mask(masks / "I04_segmentation.png")
    (masks / "I04_segmentation.png").write_bytes(encode_mask(np.zeros((60, 81), bool)))
    edit_mask(masks / "I10_segmentation.png")
    edit_mask(masks / "I11_segmentation.png", fill=True)
    edit_mask(masks / "I12_segmentation.png", (0, 20, 20, 40))
    edit_mask(masks / "I13_segmentation.png", (10, 20, 20, 40), (30, 40, 20, 40), (45, 50, 20, 40))
    edit_mask(masks / "I14_segmentation.png", (10, 50, 10, 70))
    holed = read_mask(masks / "I14_segmentation.png")
    holed[20:30, 20:30] = holed[35:40, 40:60] = False
    (masks / "I14_segmentation.png").write_bytes(encode_mask(holed))

    two = make_set("two", {"I15": 7, "I18": 8}, "image_id,split\nI18,test\n")
    for file, folder in ((images / "I16.jpg", two.images), (masks / "I16_segmentation.png", two.masks)):
        shutil.copy(file, folder / file.name.replace("I16", "X"))
    write_picture(two.images.parent, "Y", 1017, suffix=".png", height=120, width=160)  # I17, larger
    return one, FolderSource.at(two.images.parent)


EXPECTED = {
    (Kind.UNUSABLE, "one", "I00", "the file is cut off: its end is missing"),
    (Kind.PICTURE_WITHOUT_MASK, "one", "I01", "a picture without a mask"),
    (Kind.MASK_WITHOUT_PICTURE, "one", "I02", "a mask without a picture"),
    (Kind.SHARED_NAME, "one", "I03", "3 files share the id I03"),
    (Kind.SIZE_MISMATCH, "one", "I04", "the mask is 81×60 pixels, its picture 80×60"),
    (Kind.OVERLAP, "one", "I18", "meant for train, but its group id=I18 stays in test"),
    (Kind.SAME_ID, "one", "I15", "2 pictures share id=I15"),
    (Kind.SAME_ID, "two", "I15", "2 pictures share id=I15"),
    (Kind.SAME_ID, "one", "I18", "2 pictures share id=I18"),
    (Kind.SAME_ID, "two", "I18", "2 pictures share id=I18"),
    (Kind.SAME_CONTENT, "one", "I16", "2 pictures share their content"),
    (Kind.SAME_CONTENT, "two", "X", "2 pictures share their content"),
    (Kind.SAME_LESION, "one", "I05", "2 pictures share lesion_id=L1"),
    (Kind.SAME_LESION, "one", "I06", "2 pictures share lesion_id=L1"),
    (Kind.SAME_PATIENT, "one", "I06", "2 pictures share patient_id=P1"),
    (Kind.SAME_PATIENT, "one", "I07", "2 pictures share patient_id=P1"),
    (Kind.SAME_GROUP, "one", "I08", "2 pictures share group=g"),
    (Kind.SAME_GROUP, "one", "I09", "2 pictures share group=g"),
    (Kind.EMPTY_MASK, "one", "I10", "no pixel is lesion"),
    (Kind.FULL_MASK, "one", "I11", "100.00% of the picture is lesion"),
    (Kind.TOUCHES_BORDER, "one", "I12", "the lesion touches top"),
    (Kind.SEVERAL_COMPONENTS, "one", "I13", "the lesion has 3 parts"),
    (Kind.HOLES, "one", "I14", "2 holes"),
}


def test_each_kind_of_finding_is_found_once_and_has_its_consequence(troubled, tmp_path):
    summary = prepare(list(troubled), tmp_path / "store", replace(SMALL, overlap=Overlap.TEST, page=True))
    found = [(entry.kind, entry.source, entry.id, entry.detail) for entry in summary.findings]
    alike = [entry for entry in found if entry[0] is Kind.NEAR_DUPLICATE]
    assert {entry for entry in found if entry not in alike} == EXPECTED
    assert len(found) == len(EXPECTED) + 2 + 1  # a shared name is said of each of its three files
    assert [entry[:3] for entry in alike] == [(Kind.NEAR_DUPLICATE, "two", "Y")]
    assert alike[0][3].startswith("looks like I17 of one: similarity ")

    # Of 41 pictures, 40 and X are pairs that can be read but for I00 to I04, and I18 gives way.
    kept = {(sample.source, sample.id) for sample in summary.samples}
    assert kept == {("one", f"I{n:02}") for n in range(5, 40) if n != 18} | {
        ("two", name) for name in ("I15", "I18", "X", "Y")
    }
    assert Counter(failure.path.name for failure in summary.left_out) == Counter(
        ["I00.jpg", "I01.jpg", "I02_segmentation.png", "I03.jpg", "I03.jpeg", "I03_segmentation.png",
         "I04_segmentation.png"]
    )  # fmt: skip
    splits = splits_of(summary)
    assert splits["two", "I18"] is Split.TEST
    for first, *others in (
        [("one", "I15"), ("two", "I15")],
        [("one", "I16"), ("two", "X")],
        [("one", "I17"), ("two", "Y")],
        [("one", "I05"), ("one", "I06"), ("one", "I07")],
        [("one", "I08"), ("one", "I09")],
    ):
        assert {splits[other] for other in others} == {splits[first]}

    rows = list(csv.DictReader((tmp_path / "store" / "audit.csv").open(newline="")))
    assert [(row["finding"], row["source"], row["id"], row["detail"]) for row in rows] == found
    assert all(row["consequence"] == Kind(row["finding"]).consequence for row in rows)
    paths = {row["path"] for row in rows if row["id"] == "I03"}
    assert paths == {str(troubled[0].images / "I03.jpg"), str(troubled[0].images / "I03.jpeg"),
                     str(troubled[0].masks / "I03_segmentation.png")}  # fmt: skip

    page = (tmp_path / "store" / "audit.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == page.count("<img ")
    # Every finding in a picture that is kept, and the other of the two that look alike: not the seven files, not I18.
    assert page.count("<img ") == len(found) - 7 - 2 + 1
    for kind in Kind:
        assert f'<h2 id="{kind}">' in page


def test_hostile_names_do_not_run_in_the_page(make_set, tmp_path):
    name = "<script>alert('x')<img src=x onerror=y>"
    source = make_set("set", {name: 1, "B": 2, "C": 3, "D": 4})
    edit_mask(source.masks / f"{name}_segmentation.png")
    prepare([source], tmp_path / "store", replace(SMALL, page=True))
    page = (tmp_path / "store" / "audit.html").read_text()
    assert "empty-mask (1)" in page
    assert "<script" not in page
    assert "<img src=x" not in page


def test_set_of_one_look_is_one_group(tmp_path, make_set):
    # Whatever a picture is saved as: enlarged, darker by a little, compressed hard.
    source = make_set("set", {f"I{number}": number for number in range(5)})
    image = cv2.imread(str(source.images / "I0.jpg"))
    for name, changed, quality in (
        ("large", cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC), 95),
        ("dark", (image * 0.97).astype(np.uint8), 95),
        ("poor", image, 40),
    ):
        cv2.imwrite(str(source.images / f"{name}.jpg"), changed, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (source.masks / f"{name}.png").write_bytes(encode_mask(np.ones(changed.shape[:2], bool)))
    summary = prepare([source], tmp_path / "store", SMALL)
    groups = Counter(sample.group for sample in summary.samples)
    assert groups == {"id=I0": 4, "id=I1": 1, "id=I2": 1, "id=I3": 1, "id=I4": 1}
