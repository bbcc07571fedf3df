"""The page: one file that needs nothing else, with all that a reader of any kind needs."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

import pytest

from lesionctl.evaluate.report.html import to_html

HOSTILE = "<script>alert(1)</script>\" onload=\"alert(2)' x='"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def source(real, document_of):
    return to_html(document_of(*real, painted=True))


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_it_needs_no_other_file_and_allows_none(source, page):
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not page.all("script") + page.all("iframe") + page.all("object")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert "@import" not in source
    assert "@font-face" not in source
    links = [anchor["href"] for anchor in page.all("a")]
    assert all(link.startswith(("#", "https://doi.org/", "https://arxiv.org/abs/")) for link in links)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= ids


def test_every_picture_and_plot_says_what_it_shows(page):
    images = page.all("img")
    assert len(images) == 6  # 3 pictures by 2 sides
    assert all("with the true outline" in image["alt"] for image in images)
    plots = page.all("svg")
    assert len(plots) == 7  # the difference, two distributions, ROC, PR, reliability, training
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 40 for plot in plots)


def test_tables_have_captions_and_heads_with_scope(page):
    tables, captions = page.all("table"), page.all("caption")
    assert len(tables) == len(captions) >= 8
    assert {head["scope"] for head in page.all("th")} == {"col", "row", "rowgroup"}


def test_headings_leave_out_no_level(page):
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_no_two_elements_have_the_same_id(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_it_is_small(source):
    assert len(source) < 1_000_000


def test_hostile_names_are_text_and_nothing_else(by_hand, document_of):
    analysis, sides = by_hand({HOSTILE: [0, 1], "b": [1, 1]}, title=HOSTILE, prefix=HOSTILE)
    page = Page(to_html(document_of(analysis, sides, command=[HOSTILE], painted=True)))
    assert page.all("script") == []
    assert not any("onload" in attributes for _, attributes in page.elements)
    assert HOSTILE in page.text
    assert all(HOSTILE in image["alt"] for image in page.all("img"))


def test_bytes_of_a_name_that_are_no_text_are_written_with_backslashes(by_hand, document_of):
    page = to_html(document_of(*by_hand({"\udcfc": [0, 1], "b": [1, 1]}, prefix="\udcfd"), painted=True))
    assert "\\udcfc" in page
    assert "\\udcfd" in page
    page.encode()  # raises where something is left
