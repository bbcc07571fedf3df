"""From the SVG file that matplotlib writes to a part of a page."""

from __future__ import annotations

import hashlib
import re
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#(.+)\)")
_GEOMETRY = {"d", "x", "y", "width", "height", "transform"}
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT_FAMILY = re.compile(r"font-family: [^;]+(; |$)")


def inline_svg(text: str, alt: str, ink: str) -> str:
    """Make a part of a page of an SVG file.

    Metadata, style sheet (it would hold for the whole page), size and unused ids go; the ids that stay are made of the
    content, so that pictures on a page do not take one another's clips and markers.

    Args:
        text: The file, as matplotlib writes it.
        alt: What the picture shows.
        ink: The colour, `#rrggbb` in lower case, that becomes the colour of the page's text.

    Returns:
        From `<svg` to `</svg>`, as wide as its place, with `alt` as title and label.
    """
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if _tag(child) in ("metadata", "style"):
                parent.remove(child)
    prefix = "p" + hashlib.sha256(f"{alt}\n{text}".encode()).hexdigest()[:10]
    used = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        element.tag = _tag(element)
        element.tail = None
        if element.tag != "text":
            element.text = None
        _rename(element, used, prefix)
        if "style" in element.attrib:
            style = _FONT_FAMILY.sub("", element.attrib["style"])
            element.set("style", re.sub(rf"\b(fill|stroke): {ink}\b", r"\1: currentColor", style))
        for name in _GEOMETRY & element.attrib.keys():
            element.set(name, _NUMBER.sub(_round, " ".join(element.attrib[name].split())))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
    for group in root.iter("g"):
        _style_once(group)
    title = ElementTree.Element("title")
    title.text = alt
    root.insert(0, title)
    root.attrib = {
        "xmlns": _SVG,
        "viewBox": root.attrib["viewBox"],
        "width": "100%",
        "role": "img",
        "aria-label": alt,
        "font-family": "system-ui, sans-serif",
        "stroke-linejoin": "round",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _references(element: ElementTree.Element) -> list[str]:
    links = [element.attrib[_LINK].removeprefix("#")] if _LINK in element.attrib else []
    return links + _REFERENCE.findall(element.get("clip-path", ""))


def _rename(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    attributes = element.attrib
    if attributes.get("id") in used:
        attributes["id"] = f"{prefix}-{attributes['id']}"
    else:
        attributes.pop("id", None)
    if _LINK in attributes:
        attributes["href"] = f"#{prefix}-{attributes.pop(_LINK).removeprefix('#')}"
    if "clip-path" in attributes:
        attributes["clip-path"] = _REFERENCE.sub(rf"url(#{prefix}-\1)", attributes["clip-path"])


def _round(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 2):g}"


def _style_once(group: ElementTree.Element) -> None:
    """Give the style that all marks of a line have to their group: it is most of the file."""
    styles = {mark.get("style", "") if mark.tag == "use" else "" for mark in group}
    if len(styles) == 1 and "" not in styles:
        group.set("style", styles.pop())
        for mark in group:
            del mark.attrib["style"]
