"""Reports in a real browser: on a phone, on a desk, in the dark, on paper."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from chromium import start_chromium
from PIL import Image

from lesionctl.evaluate.report.report import write_reports

MORE = [Path(name) for name in os.environ.get("LESIONCTL_TEST_REPORTS", "").split(os.pathsep) if name]

LONGEST_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
IMAGES = "[...document.images].map(i => [i.complete, i.naturalWidth, i.alt])"
GROUND = "getComputedStyle(document.body).backgroundColor"
# Text with the first ground behind it that is not transparent; contrast as WCAG 2 defines it.
CONTRASTS = """() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const all = document.querySelectorAll('h1, h2, h3, p, small, th, td, dt, dd, a, figcaption, summary, li, svg text');
  return [...all].filter(e => e.textContent.trim()).map(e => {
    const style = getComputedStyle(e);
    const ink = light(parse(e.closest('svg') ? style.fill : style.color)), back = light(ground(e));
    return [(Math.max(ink, back) + .05) / (Math.min(ink, back) + .05), e.tagName + ': ' + e.textContent.slice(0, 40)];
  });
}"""


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests."""
    with start_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def reports(real, two_models, tmp_path_factory):
    """Report files: a model and a folder of masks on a test split, two models on validation, and those asked for."""
    folder = tmp_path_factory.mktemp("reports")
    paths = []
    for name, (analysis, sides) in (("test", real), ("validation", two_models)):
        paths.append(folder / f"{name} <&>.html")
        write_reports([paths[-1]], analysis, sides, command=["lesionctl", "eval", "a" * 200])
    return [*paths, *(path.resolve() for path in MORE)]


@pytest.fixture
def open_page(browser):
    """A function that opens a file, and what the browser has to say of it meanwhile."""
    contexts = []

    def open_(path, *, width=1200, scheme="light", media="screen"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url[:80]}"))
        page.on("request", lambda request: said.append(request.url))
        page.emulate_media(media=media, color_scheme=scheme)
        page.goto(path.as_uri())
        outside = [line for line in said if line != path.as_uri() and not line.startswith("data:")]
        return page, outside

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_reads_well_on_any_screen(reports, open_page, width, scheme):
    for path in reports:
        page, said = open_page(path, width=width, scheme=scheme)
        assert said == []  # no message, no error, no request but for the file itself
        assert page.evaluate(LONGEST_OVERFLOW) == 0
        images = page.evaluate(IMAGES)
        assert images
        assert all(complete and pixels > 0 and alt for complete, pixels, alt in images)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(LONGEST_OVERFLOW) == 0
        poor = [(ratio, what) for ratio, what in page.evaluate(CONTRASTS) if ratio < 4.5]
        assert poor == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_ground_is_that_of_the_scheme_and_something_is_on_it(reports, open_page, scheme):
    for path in reports:
        page, _ = open_page(path, scheme=scheme)
        red, green, blue = (int(value) for value in page.evaluate(GROUND)[4:-1].split(","))
        assert (min(red, green, blue) > 200) if scheme == "light" else (max(red, green, blue) < 60)
        pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
        off_ground = np.abs(pixels - (red, green, blue)).sum(-1) > 60
        assert 0.01 < off_ground.mean() < 0.9


def test_on_paper_it_is_light_whole_and_not_too_wide(reports, open_page):
    for path in reports:
        page, said = open_page(path, width=718, scheme="dark", media="print")  # A4 less its margins
        assert said == []
        assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.evaluate("document.querySelector('details dl').getBoundingClientRect().height") > 100
        tables = page.evaluate("[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right)")
        assert max(tables) <= 719
        assert page.pdf(format="A4").startswith(b"%PDF-")


def test_wide_tables_scroll_within_their_own_box_and_can_be_reached_by_keyboard(reports, open_page):
    page, _ = open_page(reports[0], width=390)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(b => [b.tabIndex, b.scrollWidth > b.clientWidth, b.clientWidth])"
    )
    assert all(index == 0 and width <= 390 for index, _, width in boxes)
    assert any(scrolls for _, scrolls, _ in boxes)
