"""What belongs together: by id, content, metadata and looks; each once, and said of each picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lesionctl.imaging.appearance import Appearance
from lesionctl.prepare import likeness
from lesionctl.prepare.audit import Examination
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.groups import group_by_shared_keys
from lesionctl.prepare.likeness import find_likeness
from lesionctl.prepare.sources import Record
from lesionctl.progress import Silent


def record(name, *keys, source="set"):
    return Record(source, name, Path(f"{source}/{name}.jpg"), Path(f"{name}.png"), frozenset({f"id={name}", *keys}))


def examined(sha256, mask_sha256="m"):
    look = Appearance((0, 0, 0), (0, 0, 0), None, None)
    return Examination(1, 1, 0.0, 0, 0, (), sha256, mask_sha256, np.zeros(4, np.uint64), look)


@pytest.fixture
def find(monkeypatch):
    """A function: records, their digests, and (first, second, similarity) of what looks alike → what was found."""

    def find(records, digests, alike=()):
        pairs = [SimpleNamespace(first=first, second=second, similarity=value) for first, second, value in alike]
        monkeypatch.setattr(likeness, "find_near_duplicates", lambda *_, **__: pairs)
        entries = [examined(*digest) if isinstance(digest, tuple) else examined(digest) for digest in digests]
        return find_likeness(records, entries, np.zeros((len(records), 4, 4, 3), np.uint8), Silent())

    return find


def rows(found):
    return [(entry.kind, entry.source, entry.id, entry.detail, entry.other) for entry in found.findings]


def test_pictures_that_share_nothing_have_keys_of_their_own(find):
    found = find([record("A"), record("B", "lesion_id=L")], "ab")
    assert found.keys == [{"id=A", "sha256=a"}, {"id=B", "sha256=b", "lesion_id=L"}]
    assert found.findings == []


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("lesion_id=L1", Kind.SAME_LESION),
        ("patient_id=P1", Kind.SAME_PATIENT),
        ("group=g", Kind.SAME_GROUP),
        ("hospital=north=1", Kind.SAME_GROUP),
    ],
)
def test_shared_metadata_are_said_of_every_picture(find, key, kind):
    found = find([record("A", key), record("B"), record("C", key), record("D", key)], "abcd")
    assert rows(found) == [
        (kind, "set", "A", f"3 pictures share {key}", ""),
        (kind, "set", "C", f"3 pictures share {key}", "A"),
        (kind, "set", "D", f"3 pictures share {key}", "A"),
    ]
    assert found.findings[1].path == Path("set/C.jpg")


def test_same_id_in_two_sources(find):
    found = find([record("A"), record("A", source="other")], "ab")
    assert rows(found) == [
        (Kind.SAME_ID, "set", "A", "2 pictures share id=A", ""),
        (Kind.SAME_ID, "other", "A", "2 pictures share id=A", "A"),
    ]


def test_same_content_under_two_names(find):
    found = find([record("A"), record("B")], "aa")
    assert rows(found) == [
        (Kind.SAME_CONTENT, "set", "A", "2 pictures share their content", ""),
        (Kind.SAME_CONTENT, "set", "B", "2 pictures share their content", "A"),
    ]


def test_same_content_with_another_mask_is_said_so(find):
    found = find([record("A"), record("B")], [("a", "m1"), ("a", "m2")])
    assert {entry.detail for entry in found.findings} == {"2 pictures share their content, but not their masks"}


def test_what_looks_alike_is_kept_together(find):
    found = find([record("A"), record("B"), record("C", source="other")], "abc", [(0, 2, 0.98765)])
    assert rows(found) == [(Kind.NEAR_DUPLICATE, "other", "C", "looks like A of set: similarity 0.988", "A")]
    assert group_by_shared_keys(found.keys) == ["id=A", "id=B", "id=A"]


def test_what_is_known_to_belong_together_is_not_said_twice(find):
    found = find([record("A", "lesion_id=L"), record("B", "lesion_id=L")], "ab", [(0, 1, 0.99)])
    assert {entry.kind for entry in found.findings} == {Kind.SAME_LESION}


def test_chain_of_looks_is_one_group(find):
    found = find([record(name) for name in "ABCD"], "abcd", [(0, 1, 0.99), (1, 2, 0.99)])
    assert group_by_shared_keys(found.keys) == ["id=A", "id=A", "id=A", "id=D"]
    assert [(entry.id, entry.other) for entry in found.findings] == [("B", "A"), ("C", "B")]
