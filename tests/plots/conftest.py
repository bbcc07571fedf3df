"""What the tests of the plots share: an SVG as it stands in a page, taken apart."""

from __future__ import annotations

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def inline():
    """A function that writes a figure as SVG, checks what holds for every plot, and takes it apart."""
    pytest.importorskip("matplotlib")
    from lesionctl.plots.figure import COLOURS, INK, to_svg

    def take_apart(figure, alt="what it shows"):
        text = to_svg(figure, alt)
        assert len(text) < 60_000
        assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
        assert set(re.findall(r"#[0-9a-f]{6}\b", text)) <= {colour for colour in COLOURS if colour != INK}
        root = ElementTree.fromstring(text)
        styles = [element.get("style", "") for element in root.iter()]
        ids = {element.get("id") for element in root.iter()} - {None}
        assert {link for element in root.iter() if (link := element.get("href"))} <= {f"#{name}" for name in ids}
        texts = list(root.iter(f"{SVG}text"))
        assert all("fill: currentColor" in element.get("style") for element in texts)
        return SimpleNamespace(
            root=root,
            text=text,
            ids=ids,
            words=[element.text for element in texts],
            # How many lines are drawn in a colour, those of the legend among them.
            lines=lambda colour: sum("fill: none" in style and f"stroke: {colour}" in style for style in styles),
        )

    return take_apart
