"""`samples.csv`: what is written is read back, and what is no list of samples is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.dataset.samples import Sample, Split, format_samples, read_samples
from lesionctl.errors import BadFile

SAMPLE = Sample(
    id="ISIC_1",
    source="isic2018",
    group="lesion_id=IL_1",
    split=Split.TRAIN,
    fold=None,
    keys=("id=ISIC_1", "lesion_id=IL_1"),
    diagnosis="nevus",
    image=Path("/data/images/ISIC_1.jpg"),
    mask=Path("/data/masks/ISIC_1_segmentation.png"),
    height=450,
    width=600,
    lesion_fraction=0.123456,
    sha256="0f" * 32,
    mask_sha256="1e" * 32,
)

HEADER = "id,source,group,split,fold,keys,diagnosis,image,mask,height,width,lesion_fraction,sha256,mask_sha256"


def test_text_is_one_line_per_sample_under_the_names_of_its_fields():
    assert format_samples([SAMPLE]) == (
        f"{HEADER}\nISIC_1,isic2018,lesion_id=IL_1,train,,id=ISIC_1;lesion_id=IL_1,nevus,/data/images/ISIC_1.jpg,"
        f"/data/masks/ISIC_1_segmentation.png,450,600,0.123456,{'0f' * 32},{'1e' * 32}\n"
    )


def test_splits_have_short_names():
    assert [str(split) for split in Split] == ["train", "val", "test"]


@pytest.mark.parametrize(
    "sample",
    [
        SAMPLE,
        replace(SAMPLE, split=Split.VALIDATION, lesion_fraction=1e-6),
        replace(SAMPLE, fold=0),
        replace(SAMPLE, fold=12, keys=(), diagnosis=""),
        replace(SAMPLE, keys=("id=a;b", "id=50%;%3B", "id=c,d", "id=")),
        replace(SAMPLE, id='a,"b" ü', image=Path("/with, comma/and 'quotes'.jpg"), split=Split.TEST),
    ],
)
def test_what_is_written_is_read_back(tmp_path, sample):
    path = tmp_path / "samples.csv"
    path.write_text(format_samples([sample, SAMPLE]))
    assert read_samples(path) == [sample, SAMPLE]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,split\nA,train\n", "KeyError"),
        (format_samples([SAMPLE]).replace("train", "training"), "ValueError"),
        (format_samples([SAMPLE]).replace("450", "tall"), "ValueError"),
        (format_samples([SAMPLE]).replace("train,,", "train,first,"), "ValueError"),
        (f"{HEADER}\nISIC_1,isic2018\n", "is no list of samples"),
        ("\0" * 100 + "\nx\n", "is no list of samples"),
        ("x" * 200_000, "is no list of samples"),
    ],
    ids=[
        "columns missing",
        "unknown split",
        "text for a number",
        "text for a fold",
        "short row",
        "zeros",
        "one endless line",
    ],
)
def test_anything_else_is_a_bad_file(tmp_path, text, reason):
    (tmp_path / "samples.csv").write_text(f"{text}\n")
    with pytest.raises(BadFile, match=reason):
        read_samples(tmp_path / "samples.csv")


def test_missing_file_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        read_samples(tmp_path / "samples.csv")
