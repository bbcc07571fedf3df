"""`audit.html`: one page, no other file, nothing in it that a file name could run."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.page import thumbnail, write_page


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(tmp_path, make_sample):
    """A function: findings, names of the samples, side of the pictures → the page."""

    def make(findings, names=("A", "B"), size=32, title="my set"):
        images = np.full((len(names), size, size, 3), 100, np.uint8)
        masks = np.zeros((len(names), size, size), bool)
        masks[:, 4:9, 4:9] = True
        for array in (images, masks):
            array.flags.writeable = False  # as they are in a store
        write_page(tmp_path / "audit.html", title, findings, [make_sample(name) for name in names], images, masks)
        return Page(tmp_path / "audit.html")

    return make


def found(kind, name, other="", detail="", source="set"):
    return Finding(kind, source, name, Path(f"{name}.jpg"), detail, other)


def test_each_kind_has_a_section_with_its_count_and_consequence(page):
    made = page([found(Kind.HOLES, "A", detail="1 hole"), found(Kind.HOLES, "B"), found(Kind.SAME_LESION, "A")])
    text = re.sub(r"\s+", " ", made.text)
    assert "2 pictures are in the store" in text
    assert "holes (2)" in text
    assert "2 found, noted" in text
    assert "same-lesion (1)" in text
    assert "1 found, kept in one split" in text
    assert "1 hole" in text
    assert [title["id"] for title in made.all("h2")] == ["same-lesion", "holes"]  # in the order of the kinds


def test_thumbnails_are_in_the_page_itself(page):
    made = page([found(Kind.HOLES, "A")])
    (image,) = made.all("img")
    kind, _, content = image["src"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR).shape == (144, 144, 3)
    outside = [value for _, attributes in made.elements for name, value in attributes.items() if name == "href"]
    assert outside == ["#holes"]
    assert not made.all("script") + made.all("link")


@pytest.mark.parametrize("size", [16, 144, 200])
def test_thumbnail_shows_the_outline_in_green(size):
    image, mask = np.full((size, size, 3), 100, np.uint8), np.zeros((size, size), bool)
    mask[size // 4 : size // 2, size // 4 : size // 2] = True
    content = base64.b64decode(thumbnail(image, mask).partition(",")[2])
    blue, green, red = cv2.split(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).astype(int))
    is_green = (green > red + 60) & (green > blue + 30)
    rows, columns = np.flatnonzero(is_green.any(axis=1)), np.flatnonzero(is_green.any(axis=0))
    assert abs(rows[[0, -1]] - [36, 71]).max() <= 5  # a quarter and a half of 144, blurred by JPEG
    assert abs(columns[[0, -1]] - [36, 71]).max() <= 5
    assert not is_green[50:58, 50:58].any()
    assert (image == 100).all()


def test_two_that_look_alike_stand_side_by_side(page):
    made = page([found(Kind.NEAR_DUPLICATE, "B", "A")])
    assert [image["alt"] for image in made.all("img")] == ["B", "A"]
    assert made.all("figure") == [{"class": "two"}]


def test_what_is_not_in_the_store_has_no_thumbnail(page):
    made = page([found(Kind.UNUSABLE, "X"), found(Kind.HOLES, "A", source="other")])
    assert made.all("img") == []
    assert made.text.count("not in the store") == 2


def test_no_more_than_sixty_of_a_kind_are_shown(page):
    names = [f"I{number:03}" for number in range(70)]
    made = page([found(kind, name) for kind in (Kind.HOLES, Kind.EMPTY_MASK) for name in names], names)
    assert len(made.all("img")) == 120
    assert [image["alt"] for image in made.all("img")] == names[:60] * 2
    assert "70 found, noted; the first 60" in re.sub(r"\s+", " ", made.text)


def test_hostile_names_are_text_and_nothing_else(page):
    hostile = "<script>alert(1)</script>\" onload=\"alert(2)' x='"
    finding = found(Kind.NEAR_DUPLICATE, hostile, hostile, detail=f"looks like {hostile}", source="set")
    made = page([finding], [hostile, "A"], title=hostile)
    assert made.all("script") == []
    assert [set(image) for image in made.all("img")] == [{"src", "alt"}] * 2
    assert [image["alt"] for image in made.all("img")] == [hostile] * 2
    assert f"Audit of {hostile}" in made.text
    assert f"looks like {hostile}" in made.text


def test_nothing_found_is_said(page):
    made = page([])
    assert "Nothing was found." in made.text
    assert made.all("img") == []


def test_bytes_of_a_name_that_are_no_text_are_written_with_backslashes(page):
    assert r"\udcfc" in page([found(Kind.UNUSABLE, "\udcfc")]).text
