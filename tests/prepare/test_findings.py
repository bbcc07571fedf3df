"""Findings: what becomes of the pictures, and the table of them."""

from __future__ import annotations

import csv
from pathlib import Path

from lesionctl.prepare.findings import Finding, Kind, count_findings, format_findings

EMPTY = Finding(Kind.EMPTY_MASK, "set", "A", Path("masks/A.png"), "no pixel is lesion")
ALIKE = Finding(Kind.NEAR_DUPLICATE, "set", 'B,"b"', Path("images/B.jpg"), "looks like A, a lot", "A")


def test_consequences():
    consequences = {kind: kind.consequence for kind in Kind}
    assert [str(kind) for kind, text in consequences.items() if text == "left out"] == [
        "unusable", "picture-without-mask", "mask-without-picture", "shared-name", "size-mismatch", "overlap",
    ]  # fmt: skip
    assert [str(kind) for kind, text in consequences.items() if text == "kept in one split"] == [
        "same-id", "same-content", "near-duplicate", "same-lesion", "same-patient", "same-group",
    ]  # fmt: skip
    assert [str(kind) for kind, text in consequences.items() if text == "noted"] == [
        "empty-mask", "full-mask", "touches-border", "several-components", "holes",
    ]  # fmt: skip


def test_what_is_left_out_is_a_failure_unless_on_purpose():
    assert {kind for kind in Kind if kind.consequence == "left out" and not kind.is_failure} == {Kind.OVERLAP}
    assert not any(kind.is_failure for kind in Kind if kind.consequence != "left out")


def test_table_has_a_row_for_each_finding():
    text = format_findings([EMPTY, ALIKE])
    assert text.splitlines()[:2] == [
        "finding,consequence,source,id,path,detail,other",
        "empty-mask,noted,set,A,masks/A.png,no pixel is lesion,",
    ]
    assert list(csv.reader(text.splitlines()))[2] == [
        "near-duplicate", "kept in one split", "set", 'B,"b"', "images/B.jpg", "looks like A, a lot", "A",
    ]  # fmt: skip


def test_bytes_of_a_name_that_are_no_text_are_written_with_backslashes():
    text = format_findings([Finding(Kind.UNUSABLE, "set", "\udcfc", Path("\udcfc.jpg"))])
    assert text.splitlines()[1] == r"unusable,left out,set,\udcfc,\udcfc.jpg,,"


def test_counts_come_in_the_order_of_the_kinds():
    assert list(count_findings([EMPTY, ALIKE, EMPTY]).items()) == [(Kind.NEAR_DUPLICATE, 1), (Kind.EMPTY_MASK, 2)]
