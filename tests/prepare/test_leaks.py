"""No two pictures that belong together stand on two sides, whatever the keys, official splits, shares and folds."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import GateError, UsageError
from lesionctl.imaging.appearance import Appearance
from lesionctl.prepare import prepare as prepare_module
from lesionctl.prepare.audit import Examination
from lesionctl.prepare.official import Overlap
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource, Record
from lesionctl.prepare.split import Shares

LOOK = Appearance((0, 0, 0), (0, 0, 0), None, None)

rows = st.lists(
    st.tuples(
        st.sets(st.integers(0, 40), max_size=3),  # keys
        st.sampled_from([None, None, *Split]),  # what it is officially meant for
        st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.9]),  # lesion fraction
        st.sampled_from(["", "", "nevus", "melanoma"]),
        st.sampled_from(["one", "two"]),
    ),
    min_size=1,
    max_size=40,
)
shares = st.sampled_from(
    [Shares(70, 10, 20), Shares(50, 25, 25), Shares(80, 20, 0), Shares(80, 0, 20), Shares(100, 0, 0)]
)
rules = st.builds(
    PrepareOptions,
    shares=shares,
    folds=st.sampled_from([0, 0, 2, 3, 5]),
    seed=st.integers(0, 100),
    resplit=st.booleans(),
    overlap=st.sampled_from(Overlap),
)


def assert_no_leak(samples):
    sides = defaultdict(set)
    for sample in samples:
        for key in (f"group={sample.group}", *sample.keys):
            sides[key].add((sample.split, sample.fold))
    assert {key: found for key, found in sides.items() if len(found) > 1} == {}


@settings(max_examples=300)
@given(rows, rules)
def test_whatever_shares_a_key_stands_on_one_side(rows, options):
    records, examined, keys = [], [], []
    for number, (own, split, fraction, diagnosis, source) in enumerate(rows):
        path = Path(f"{number}.jpg")
        records.append(Record(source, f"{number}", path, path, frozenset(), split, diagnosis))
        examined.append(Examination(1, 1, fraction, 0, 0, (), "", "", np.zeros(1, np.uint64), LOOK))
        keys.append({f"id={number}", *(f"key={key}" for key in own)})
    refused = None
    try:
        keep, samples, dropped = prepare_module._split(records, examined, keys, options)
    except (UsageError, GateError) as error:
        refused = error
    if refused:  # a few groups cannot fill many parts, or an overlap is not to be settled
        assert "cannot fill" in refused.what or (options.overlap is Overlap.REFUSE and not options.resplit)
        return

    assert_no_leak(samples)
    assert [sample.id for sample in samples] == [str(row) for row in keep]
    assert sorted(keep + [int(finding.id) for finding in dropped]) == list(range(len(rows)))
    if options.resplit or options.overlap is Overlap.REFUSE:
        assert dropped == []
    for sample in samples:
        meant = None if options.resplit else rows[int(sample.id)][1]
        if meant is Split.TEST or (meant is Split.VALIDATION and not options.folds):
            assert sample.split is meant
        if options.folds:
            assert (sample.fold is None) == (sample.split is Split.TEST)
            assert (sample.fold == 0) == (sample.split is Split.VALIDATION)
        else:
            assert sample.fold is None


def resave(file, folder, name, *, size=None, quality=None):
    """Save a picture again under another name, larger or as another kind of file; its mask with it."""
    image = cv2.imread(str(file))
    mask = cv2.imread(str(file.parent.parent / "masks" / f"{file.stem}_segmentation.png"), cv2.IMREAD_GRAYSCALE)
    if size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if quality else []
    cv2.imwrite(str(folder / "images" / name), image, settings)
    cv2.imwrite(str(folder / "masks" / f"{Path(name).stem}_segmentation.png"), mask)


@pytest.fixture
def overlapping(make_set):
    """Two folders of 24 and 12 pictures with everything that makes pictures belong together, and what must."""
    one = make_set("one", 24, "id,lesion_id,patient_id\nI00,L0,\nI01,L0,P0\nI02,,P0\nI03,L3,P1\nI04,,P1\n")
    two = make_set(
        "two", {f"K{n:02}": 200 + n for n in range(8)}, "id,lesion_id,patient_id\nK00,L3,\nK01,,P2\nK02,,P2\n"
    )
    folder = two.images.parent
    resave(one.images / "I05.jpg", folder, "I05.png", size=(120, 90))  # the same id, another size and kind
    for part, ending in (("images", ".jpg"), ("masks", "_segmentation.png")):  # the same bytes, another id
        shutil.copy(folder / part / f"K03{ending}", one.images.parent / part / f"copy{ending}")
    resave(one.images / "I06.jpg", folder, "like06.jpg", quality=60)
    resave(one.images / "I07.jpg", folder, "like07.jpg", size=(200, 150))
    with Pillow.open(folder / "images" / "K04.jpg") as picture:
        picture.save(folder / "images" / "like04.bmp")
    shutil.copy(folder / "masks" / "K04_segmentation.png", folder / "masks" / "like04.png")
    together = [
        {"I00", "I01", "I02"},  # a lesion and a patient, by way of I01
        {"I03", "I04", "K00"},  # a lesion in both folders
        {"I05"},
        {"K03", "copy"},
        {"I06", "like06"},
        {"I07", "like07"},
        {"K04", "like04"},
        {"K01", "K02"},
    ]
    return [one, FolderSource.at(folder)], together


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("folds", [0, 3])
def test_two_folders_that_overlap_in_every_way_do_not_leak(overlapping, tmp_path, seed, folds):
    sources, together = overlapping
    prepare(sources, tmp_path / "store", replace(PrepareOptions(size=32), seed=seed, folds=folds))
    samples = open_store(tmp_path / "store").samples
    assert len(samples) == 25 + 12
    assert_no_leak(samples)
    for first in samples:
        for second in samples:
            if not set(first.keys).isdisjoint(second.keys):
                assert (first.group, first.split, first.fold) == (second.group, second.split, second.fold)
    groups = defaultdict(set)
    for sample in samples:
        groups[sample.group].add(sample.id)
    singles = {f"I{n:02}" for n in range(8, 24)} | {"K05", "K06", "K07"}
    assert sorted(map(sorted, groups.values())) == sorted([*map(sorted, together), *([name] for name in singles)])
