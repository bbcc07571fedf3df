"""Preparing end to end: what can be used is kept, what cannot is named, and a store stands whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile, LesionctlError, UsageError
from lesionctl.imaging.decode import decode
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare import prepare as prepare_module
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import Source
from lesionctl.prepare.split import Shares

SMALL = PrepareOptions(size=16)


@pytest.fixture
def source(tmp_path, write_pair):
    """A source of 12 good pairs that a test may break."""
    for number in range(12):
        write_pair(
            tmp_path / "set" / "images" / f"I{number:02}.jpg",
            tmp_path / "set" / "masks" / f"I{number:02}_segmentation.png",
            shade=60 + number,
        )
    return Source.from_folder(tmp_path / "set")


def group_of(summary, sample_id):
    return {sample.group for sample in summary.samples if sample.id == sample_id}


def test_store_holds_every_pair_of_the_demo_set(demo, store_path):
    store = open_store(store_path)
    assert [sample.id for sample in store.samples] == [f"DEMO_{n:07d}" for n in range(12)]
    assert {sample.source for sample in store.samples} == {"demo"}
    assert store.images.shape == (12, 64, 64, 3)
    assert store.info.size == 64
    for row, sample in enumerate(store.samples):
        assert sample.image == (demo / "images" / f"{sample.id}.jpg").resolve()
        assert sample.sha256 == hashlib.sha256(sample.image.read_bytes()).hexdigest()
        image, mask = decode(sample.image).image, read_mask(sample.mask)
        assert (sample.height, sample.width) == image.shape[:2]
        assert sample.lesion_fraction == pytest.approx(mask.mean(), abs=1e-6)
        frame = Frame.fit(*mask.shape, 64, ResizeRule.SQUASH)
        np.testing.assert_array_equal(store.masks[row], frame.shrink_mask(mask))
        # A smaller decoding of the JPEG stands in for the whole.
        assert np.abs(store.images[row].astype(int) - frame.shrink(image)).mean() < 3


def test_pictures_of_one_lesion_stay_together(store_path):
    store = open_store(store_path)
    splits_of = {}
    for sample in store.samples:
        splits_of.setdefault(sample.group, set()).add(sample.split)
    assert len(splits_of) < 12  # the demo set shows some lesions twice
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_same_seed_same_digest_and_other_seed_another(source, tmp_path):
    digests = [
        prepare([source], tmp_path / name, PrepareOptions(size=16, seed=seed)).digest
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
    assert open_store(tmp_path / "a").info.digest == digests[0]


def test_other_mask_is_another_digest(source, tmp_path):
    before = prepare([source], tmp_path / "a", SMALL).digest
    path = source.masks / "I00_segmentation.png"
    path.write_bytes(encode_mask(~read_mask(path)))
    assert prepare([source], tmp_path / "b", SMALL).digest != before


def test_broken_files_are_named_with_reasons_and_the_rest_is_kept(source, tmp_path):
    images, masks = source.images, source.masks
    (images / "I00.jpg").write_bytes((images / "I00.jpg").read_bytes()[:-200])
    (masks / "I01_segmentation.png").write_bytes(encode_mask(np.zeros((80, 60), bool)))
    Pillow.fromarray(np.tile(np.arange(80, dtype=np.uint8), (60, 1))).save(masks / "I02_segmentation.png")
    (masks / "I03_segmentation.png").unlink()
    (images / "I04.jpg").unlink()
    (images / "I05.jpg").write_bytes(b"")
    (masks / "I06_segmentation.png").write_text("no mask")
    summary = prepare([source], tmp_path / "store", SMALL)
    assert {failure.path: failure.reason for failure in summary.left_out} == {
        images / "I00.jpg": "the file is cut off: its end is missing",
        masks / "I01_segmentation.png": "the mask is 60×80 pixels, its picture 80×60",
        masks / "I02_segmentation.png": "the mask is not binary: it holds 80 grey values from 0 to 79",
        images / "I03.jpg": "a picture without a mask",
        masks / "I04_segmentation.png": "a mask without a picture",
        images / "I05.jpg": "the file is empty",
        masks / "I06_segmentation.png": "not a picture of a kind that can be read",
    }
    assert [sample.id for sample in summary.samples] == ["I07", "I08", "I09", "I10", "I11"]
    assert open_store(tmp_path / "store").samples == summary.samples


def test_turned_picture_is_measured_upright(source, tmp_path):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    with Pillow.open(source.images / "I00.jpg") as picture:
        picture.transpose(Pillow.Transpose.ROTATE_90).save(source.images / "I00.jpg", exif=exif)
    summary = prepare([source], tmp_path / "store", SMALL)
    assert summary.left_out == []
    assert (summary.samples[0].height, summary.samples[0].width) == (60, 80)


def test_same_picture_in_two_sources_stays_in_one_split(source, tmp_path, write_pair):
    other = tmp_path / "other"
    write_pair(other / "images" / "I03.png", other / "masks" / "I03.png")  # the same id, other bytes
    shutil.copytree(other / "masks", other / "masks_too")
    for name in ("X.jpg", "Y.jpg"):  # the same bytes under other ids
        shutil.copy(source.images / "I04.jpg", other / "images" / name)
        shutil.copy(source.masks / "I04_segmentation.png", other / "masks" / name.replace("jpg", "png"))
    for seed in range(5):
        summary = prepare(
            [source, Source.from_folder(other)], tmp_path / f"store{seed}", PrepareOptions(size=16, seed=seed)
        )
        assert len(summary.samples) == 15
        splits = {sample.id: set() for sample in summary.samples}
        for sample in summary.samples:
            splits[sample.id].add(sample.split)
        assert len(splits["I03"]) == 1
        assert splits["I04"] == splits["X"] == splits["Y"]
        assert len(splits["I04"]) == 1


def test_metadata_beside_the_source_and_from_elsewhere_join_into_groups(source, tmp_path):
    (tmp_path / "set" / "metadata.csv").write_text("isic_id,lesion_id\nI00,L1\nI01,L1\n")
    (tmp_path / "more.csv").write_text("isic_id,patient_id\nI01,P1\nI02,P1\n")
    options = PrepareOptions(size=16, metadata=(tmp_path / "more.csv",))
    summary = prepare([Source.from_folder(tmp_path / "set")], tmp_path / "store", options)
    assert group_of(summary, "I00") == group_of(summary, "I01") == group_of(summary, "I02") == {"id=I00"}
    assert group_of(summary, "I03") == {"id=I03"}


def test_shares_are_used(source, tmp_path):
    summary = prepare([source], tmp_path / "store", PrepareOptions(size=16, shares=Shares(50, 25, 25)))
    assert Counter(sample.split for sample in summary.samples) == {Split.TRAIN: 6, Split.VALIDATION: 3, Split.TEST: 3}
    # A disc of radius 15 on 60 by 80 pixels covers 0.147 of them.
    np.testing.assert_allclose([sample.lesion_fraction for sample in summary.samples], np.pi * 15**2 / 4800, atol=0.003)


def test_padding_is_in_the_store(source, tmp_path):
    prepare([source], tmp_path / "store", PrepareOptions(size=16, resize=ResizeRule.PAD))
    store = open_store(tmp_path / "store")
    assert store.info.resize is ResizeRule.PAD
    assert (store.images[:, :2] == 0).all()  # 60 by 80: 12 rows of picture, 2 black above and below
    assert (store.images[:, 2:14] > 0).any(axis=(0, 3)).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"shares": Shares(100, 0, 0), "metadata": ("missing.csv",)}, BadFile, r"missing\.csv"),
        ({"group_by": ("hospital",)}, UsageError, "has the column 'hospital'"),
    ],
)
def test_refused_options_leave_nothing(source, tmp_path, change, error, message):
    if "metadata" in change:
        change = {**change, "metadata": tuple(tmp_path / name for name in change["metadata"])}
    with pytest.raises(error, match=message):
        prepare([source], tmp_path / "out" / "store", PrepareOptions(size=16, **change))
    assert not (tmp_path / "out").exists()


def test_too_few_groups_leave_nothing(tmp_path, write_pair):
    for name in ("A", "B"):
        write_pair(
            tmp_path / "set" / "images" / f"{name}.jpg", tmp_path / "set" / "masks" / f"{name}.png", shade=ord(name)
        )
    with pytest.raises(UsageError, match="2 groups of pictures cannot fill 3 splits"):
        prepare([Source.from_folder(tmp_path / "set")], tmp_path / "out" / "store", SMALL)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_usable_leaves_nothing(source, tmp_path):
    for path in source.images.iterdir():
        path.write_bytes(b"")
    with pytest.raises(LesionctlError, match="none of the 12 pairs can be used; the first: the file is empty"):
        prepare([source], tmp_path / "out" / "store", SMALL)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_paired_is_explained(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "masks").mkdir()
    with pytest.raises(LesionctlError, match="has a mask of the same name"):
        prepare([Source.from_folder(tmp_path / "set")], tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_interruption_keeps_the_old_store_and_leaves_no_part(source, tmp_path, monkeypatch, error):
    out = tmp_path / "out" / "store"
    digest = prepare([source], out, SMALL).digest

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(prepare_module, "audit_pair", fail)
    with pytest.raises(type(error)):
        prepare([source], out, PrepareOptions(size=16, seed=1, overwrite=True))
    assert [path.name for path in out.parent.iterdir()] == ["store"]
    assert open_store(out).info.digest == digest


def test_standing_store_is_refused_and_replaced_on_request(source, tmp_path):
    prepare([source], tmp_path / "store", SMALL)
    with pytest.raises(LesionctlError, match="exists already"):
        prepare([source], tmp_path / "store", SMALL)
    prepare([source], tmp_path / "store", PrepareOptions(size=8, overwrite=True))
    assert open_store(tmp_path / "store").info.size == 8


def test_overwriting_never_removes_a_folder_that_is_no_store(source, tmp_path):
    with pytest.raises(LesionctlError):
        prepare([source], tmp_path / "set", PrepareOptions(size=16, overwrite=True))
    assert len(list((tmp_path / "set" / "images").iterdir())) == 12


def test_two_sources_of_one_name_are_refused(source, tmp_path):
    shutil.copytree(tmp_path / "set", tmp_path / "copy" / "set")
    with pytest.raises(UsageError, match="two sources have the same name"):
        prepare([source, Source.from_folder(tmp_path / "copy" / "set")], tmp_path / "store", SMALL)
