"""The browser that tests open pages in: Chromium, where it is installed."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager

import pytest

REQUIRED = os.environ.get("LESIONCTL_TEST_BROWSER") == "required"

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def start_chromium():
    """One Chromium without a window; the test is skipped where there is none, or fails where one is required."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        _give_up("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def _give_up(reason):
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
