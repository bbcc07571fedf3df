"""What a model has seen: known again by everybody's keys, never by one person's, in few bytes."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.dataset.exposure import Exposure, SeenCount, comparable_kinds


@pytest.mark.parametrize(
    ("learned", "asked", "known_by"),
    [
        ({"name": "A"}, {"name": "B", "sha256": "1" * 64}, f"sha256={'1' * 64}"),
        ({"name": "ISIC_0000001"}, {"name": "ISIC_0000001"}, "id=ISIC_0000001"),
        ({"name": "ISIC_0000001"}, {"name": "isic_0000001_downsampled"}, "id=ISIC_0000001"),
        ({"name": "ISIC_0000001_downsampled"}, {"name": "ISIC_0000001"}, "id=ISIC_0000001"),
        ({"name": "train-ISIC_0000001(2)"}, {"name": "ISIC_0000001"}, "id=ISIC_0000001"),
        ({"name": "IMD002"}, {"name": "X_imd002_lesion"}, "id=IMD002"),
        ({"keys": ("lesion_id=HAM_0000118",)}, {"keys": ("lesion_id=HAM_0000118",)}, "lesion_id=HAM_0000118"),
        ({"keys": ("lesion_id=IL_1234567",)}, {"keys": ("lesion=il_1234567",)}, "lesion_id=IL_1234567"),
        ({"keys": ("patient_id=IP_1234567",)}, {"keys": ("patient=IP_1234567",)}, "patient_id=IP_1234567"),
    ],
)
def test_a_picture_is_known_again_by_what_means_the_same_everywhere(make_sample, learned, asked, known_by):
    exposure = Exposure.of([make_sample(**{"sha256": "1" * 64, **learned})])
    assert exposure.seen_keys(make_sample(**{"sha256": "2" * 64, **asked})) == (known_by,)


@pytest.mark.parametrize(
    ("learned", "asked"),
    [
        ("001", "001"),
        ("ISIC_0000001", "ISIC_0000002"),
        ("ISIC_000001", "ISIC_000001"),  # six digits
        ("ISIC_00000011", "ISIC_00000011"),  # eight
        ("ISIC_00000011", "ISIC_0000001"),
        ("MISIC_0000001", "MISIC_0000001"),
        ("IMD0021", "IMD0021"),
        ("SIMD002", "SIMD002"),
        ("HAM_0000118", "HAM_0000118"),  # a lesion's name is no picture's
    ],
)
def test_ids_that_are_no_archive_s_are_not_known_again(make_sample, learned, asked):
    exposure = Exposure.of([make_sample(learned)])
    sample = make_sample(asked, sha256="0" * 64)
    assert exposure.seen_keys(sample) == ()
    assert exposure.has_seen(sample) is False


@pytest.mark.parametrize(
    "key",
    [
        "id=001",
        "lesion_id=7",
        "patient_id=P12",
        "lesion_id=HAM_118",
        "patient_id=IP_12345678",
        "group=1",
        "near=scan 4",
    ],
)
def test_keys_of_one_person_s_folders_leave_no_trace(make_sample, key):
    assert Exposure.of([make_sample(keys=(key,))]).numbers == Exposure.of([make_sample()]).numbers


def test_a_number_is_the_first_64_bits_of_the_key_s_sha256(make_sample):
    sample = make_sample("ISIC_0000001", sha256="ab" * 32)
    expected = {
        int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
        for key in ("id=ISIC_0000001", f"sha256={'ab' * 32}")
    }
    assert Exposure.of([sample]).numbers == expected


A, B, C = "ISIC_0000001", "ISIC_0000002", "ISIC_0000003"


@pytest.mark.parametrize(
    ("learned", "asked", "known_by"),
    [
        ((B, (f"near={A}",)), (C, (f"near={A}",)), (f"near={A}",)),  # both were found near to A
        ((B, (f"near={A}",)), (A, ()), (f"near={A}",)),  # B was found near to A; now A stands alone
        ((A, ()), (B, (f"near={A}",)), (f"near={A}",)),  # A stood alone; B is found near to it now
        ((A, (f"near={A}",)), (A, (f"near={A}",)), (f"id={A}", f"near={A}")),
        ((A, ()), (A, (f"near={A}",)), (f"id={A}",)),
        ((B, ()), (A, (f"near={A}",)), ()),  # nobody has compared the two
    ],
)
def test_a_near_duplicate_is_known_from_either_side(make_sample, learned, asked, known_by):
    exposure = Exposure.of([make_sample(learned[0], keys=learned[1], sha256="1" * 64)])
    assert exposure.seen_keys(make_sample(asked[0], keys=asked[1], sha256="2" * 64)) == known_by


def test_each_picture_is_counted_under_the_closest_thing_that_it_shares(make_sample):
    lesion, patient, near = "lesion_id=HAM_0000001", "patient_id=IP_0000001", f"near={A}"
    exposure = Exposure.of([make_sample(A, keys=(lesion, patient, near), sha256="1" * 64)])
    samples = [
        make_sample("x", keys=(lesion, patient), sha256="1" * 64),  # by file, lesion and patient
        make_sample(f"{A}_crop", keys=(lesion,)),
        make_sample(f"{A}_small"),
        make_sample("y", keys=(near, lesion)),
        make_sample("z", keys=(patient, lesion)),
        make_sample("w", keys=(patient,)),
        make_sample("new"),
    ]
    kinds = [[key.partition("=")[0] for key in exposure.seen_keys(sample)] for sample in samples]
    assert kinds[0] == ["sha256", "lesion_id", "patient_id"]
    assert kinds[1] == ["id", "near", "lesion_id"]
    by = {"sha256": 1, "id": 2, "near": 1, "lesion_id": 1, "patient_id": 1}
    count = exposure.count(samples)
    assert count == SeenCount(pictures=6, of=7, by=by)
    assert count.reasons() == "same file: 1, same id: 2, near-duplicate: 1, same lesion: 1, same patient: 1"
    assert exposure.count(samples[6:]) == SeenCount(0, 1, {})


def test_union_has_seen_what_either_has(make_sample):
    one, other, neither = make_sample("A"), make_sample("B"), make_sample("C")
    both = Exposure.of([one]) | Exposure.of([other])
    assert [both.has_seen(sample) for sample in (one, other, neither)] == [True, True, False]
    assert both == Exposure.of([one, other])


def test_who_says_nothing_cannot_be_asked(make_sample):
    assert Exposure().has_seen(make_sample()) is None
    assert Exposure().count([make_sample()]) is None


def test_who_started_from_one_that_says_nothing_can_be_asked_in_part(make_sample):
    exposure = Exposure.of([make_sample("A")]) | Exposure()
    assert not exposure.complete
    assert exposure.has_seen(make_sample("A")) is True
    assert exposure.has_seen(make_sample("B")) is None
    assert exposure.count([make_sample("A"), make_sample("B")]) == SeenCount(1, 2, {"sha256": 1})


@given(st.frozensets(st.integers(0, 2**64 - 1), max_size=50), st.booleans())
def test_json_gives_it_back(numbers, complete):
    exposure = Exposure(numbers, complete)
    assert Exposure.from_dict(json.loads(json.dumps(exposure.to_dict()))) == exposure


def test_json_holds_eight_bytes_for_each_key_in_ascending_order():
    values = Exposure(frozenset({258, 1}), complete=True).to_dict()
    assert base64.b64decode(values["numbers"]) == bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    # 21,000 keys: 168,000 bytes, four characters for three of them
    assert len(Exposure(frozenset(range(21_000))).to_dict()["numbers"]) == 224_000


@pytest.mark.parametrize(
    "values",
    [
        {},
        [],
        {"numbers": "AAAA", "complete": True},
        {"numbers": "!", "complete": True},
        {"numbers": 5, "complete": True},
    ],
    ids=["nothing", "list", "three bytes", "no base64", "a number"],
)
def test_anything_else_is_a_value_error(values):
    with pytest.raises(ValueError, match="does not say rightly what it has seen"):
        Exposure.from_dict(values)


def test_the_numbers_are_not_shown():
    assert repr(Exposure(frozenset({1, 2}))) == "Exposure(complete=False)"


@pytest.mark.parametrize(
    ("about", "kinds"),
    [
        ([{"name": "001", "keys": ("lesion_id=7", "patient_id=12")}], ("sha256",)),
        ([{"name": "001"}, {"name": "isic_0000001_crop"}], ("sha256", "id", "near")),
        ([{"name": "001", "keys": ("near=ISIC_0000001",)}], ("sha256", "near")),
        (
            [{"name": "001", "keys": ("lesion=IL_1234567",)}, {"name": "002", "keys": ("patient=IP_1234567",)}],
            ("sha256", "lesion_id", "patient_id"),
        ),
    ],
)
def test_pictures_can_be_known_again_by_what_means_something_everywhere_alone(make_sample, about, kinds):
    assert comparable_kinds([make_sample(**one) for one in about]) == kinds
