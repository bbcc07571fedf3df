"""What is scored against: a split of a prepared set, or a folder of masks."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.dataset.marks import Made, mark
from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError
from lesionctl.evaluate.cases import cases_of_folder, cases_of_store


def test_a_split_has_its_samples_with_their_groups_masks_and_diagnoses(six):
    cases = cases_of_store(six, Split.TEST)
    assert cases.title == f"{six.path}, test split"
    assert [case.id for case in cases.items] == ["ISIC_0000002", "ISIC_0000003", "ISIC_0000004", "ISIC_0000005"]
    assert [case.group for case in cases.items] == [sample.group for sample in six.samples[2:]]
    mask, remark = cases.items[0].read_truth()
    assert (mask.shape, int(mask.sum()), remark) == ((40, 64), 40 * 16, None)
    assert cases.items[0].facts == {"source": "set", "diagnosis": ""}


def test_columns_of_a_table_join_by_id(six, tmp_path):
    (tmp_path / "table.csv").write_text("isic_id,age,site\nISIC_0000002,45,back\nISIC_0000004,60,\n")
    cases = cases_of_store(six, Split.TEST, metadata=[tmp_path / "table.csv"], by=["age"])
    assert [case.facts["age"] for case in cases.items] == ["45", "", "60", ""]
    assert [str(gap) for gap in cases.gaps] == [f"2 of 4 pictures are not in {tmp_path / 'table.csv'}"]
    with pytest.raises(UsageError, match="'colour'"):
        cases_of_store(six, Split.TEST, metadata=[tmp_path / "table.csv"], by=["colour"])


@pytest.mark.parametrize("column", ["diagnosis", "skin tone", "lesion area", "id", "group", "tp", "dice", "nsd_2px"])
def test_a_column_of_a_table_never_takes_the_place_of_what_is_known_anyway(six, demo, tmp_path, column):
    (tmp_path / "table.csv").write_text(f"isic_id,{column}\nISIC_0000002,own\nDEMO_0000001,own\n")
    table = {"metadata": [tmp_path / "table.csv"], "by": [column]}
    first = cases_of_store(six, Split.TEST, **table).items[0]
    assert first.facts == {"source": "set", "diagnosis": "", f"{column} (metadata)": "own"}
    assert {f"{column} (metadata)"} == {
        name for case in cases_of_folder(demo / "masks", **table).items for name in case.facts
    }


def test_skin_tones_come_from_the_set_s_own_fingerprint(store_path):
    from lesionctl.dataset.store import open_store

    tones = {case.facts["skin tone"] for case in cases_of_store(open_store(store_path), Split.TRAIN).items}
    assert tones <= {"very light", "light", "intermediate", "tan", "brown", "dark", ""}
    assert tones != {""}


def test_a_folder_has_its_masks_and_if_wanted_their_pictures(demo):
    cases = cases_of_folder(demo / "masks", images=demo / "images")
    assert len(cases.items) == 12
    assert all(case.image is not None and case.image.stem == case.id for case in cases.items)
    assert [case.image for case in cases_of_folder(demo / "masks").items] == [None] * 12
    assert [case.group for case in cases.items] == [f"id={case.id}" for case in cases.items]
    mask, remark = cases.items[0].read_truth()
    assert mask.dtype == np.bool_
    assert remark is None


def test_what_this_program_lays_beside_masks_is_no_mask(demo, tmp_path):
    mask = (demo / "masks" / "DEMO_0000000_segmentation.png").read_bytes()
    for name, made in (
        ("A_segmentation", Made.MASK),
        ("A_overlay", Made.OVERLAY),
        ("A_probabilities", Made.PROBABILITIES),
    ):
        (tmp_path / f"{name}.png").write_bytes(mark(mask, made))
    (tmp_path / "B_overlay.png").write_bytes(mask)  # of somebody else, whatever its name
    assert [case.id for case in cases_of_folder(tmp_path).items] == ["A", "B_overlay"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no masks"):
        cases_of_folder(tmp_path)
