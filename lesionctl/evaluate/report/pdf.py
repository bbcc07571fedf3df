"""A report as PDF, for paper and for appendices: the page, laid out by WeasyPrint."""

from __future__ import annotations

import logging
from typing import Any

from PIL import ImageFile

from lesionctl.errors import LesionctlError, MissingExtra


def load_weasyprint() -> Any:
    """Import WeasyPrint.

    Raises:
        MissingExtra: It is not installed.
        LesionctlError: The system libraries that it needs are not.
    """
    accepts_truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        import weasyprint
    except ImportError as error:
        raise MissingExtra("weasyprint", "pdf", "a report as PDF") from error
    except OSError as error:
        raise LesionctlError(
            f"a report as PDF needs WeasyPrint, which does not find its system libraries ({error})",
            hint="install Pango (Debian and Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0; macOS: brew install "
            "pango), or write the report as .html, which a browser prints",
        ) from error
    finally:
        # As it is imported, it tells Pillow to fill up what a cut-off picture lacks: also of those that are scored.
        ImageFile.LOAD_TRUNCATED_IMAGES = accepts_truncated
    return weasyprint


def to_pdf(page: str) -> bytes:
    """The bytes of the file.

    Args:
        page: HTML that needs nothing but itself; nothing but data URIs is fetched.

    Raises:
        MissingExtra: WeasyPrint is not installed.
        LesionctlError: Its system libraries are not.
    """
    weasyprint = load_weasyprint()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # of properties of screens that paper does not know
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=["data"])
    content: bytes = weasyprint.HTML(string=page, url_fetcher=fetcher).write_pdf()
    return content
