"""The report of an evaluation, in the form that its file's name asks for."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lesionctl.atomic import write_bytes
from lesionctl.errors import MissingExtra, UsageError
from lesionctl.evaluate.report.comparison import comparison_section
from lesionctl.evaluate.report.data import data_section
from lesionctl.evaluate.report.document import Document
from lesionctl.evaluate.report.gallery import gallery_section
from lesionctl.evaluate.report.html import to_html
from lesionctl.evaluate.report.making import making_section
from lesionctl.evaluate.report.markdown import to_markdown
from lesionctl.evaluate.report.material import gather
from lesionctl.evaluate.report.methods import methods_section
from lesionctl.evaluate.report.models import models_section
from lesionctl.evaluate.report.pdf import load_weasyprint, to_pdf
from lesionctl.evaluate.report.spread import spread_section
from lesionctl.evaluate.report.subgroups import subgroups_section
from lesionctl.evaluate.report.summary import summary_section
from lesionctl.evaluate.report.wording import join
from lesionctl.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.cases import Cases
    from lesionctl.evaluate.report.material import Material
    from lesionctl.evaluate.sides import Side

SUFFIXES = (".html", ".md", ".pdf")
"""The forms of a report, by the end of its name in small or capital letters."""


def check_report(path: Path) -> None:
    """Refuse a report that could not be written, before hours are spent on its figures.

    Raises:
        UsageError: The name ends in none of `SUFFIXES`, or its directory does not exist.
        MissingExtra: What draws plots or lays out PDF is not installed.
        LesionctlError: The system libraries of the latter are not.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path} is no report: its name ends in none of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no directory {path.parent}")
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a directory")
    if suffix != ".md" and find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "plot", "a report with plots")
    if suffix == ".pdf":
        load_weasyprint()


def write_reports(
    paths: Sequence[Path],
    analysis: Analysis,
    sides: Sequence[Side],
    *,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> None:
    """Write a report in one or several forms: each is one file that needs no other and no network.

    Args:
        paths: The files; the suffix of each says which form: .html, .md (without plots and pictures) or .pdf.
        analysis: The results.
        sides: What was scored, in the order of the analysis' summaries; they are asked again for the pictures that are
            shown.
        command: The command line that it comes from.
        progress: Who listens.

    Raises:
        UsageError: See `check_report`.
        MissingExtra: See `check_report`.
        LesionctlError: See `check_report`.
        OSError: A file cannot be written.
    """
    for path in paths:
        check_report(path)
    progress = progress or Silent()
    material = gather(analysis, sides, command, datetime.now().astimezone(), progress)
    documents: dict[bool, Document] = {}
    for path in paths:
        suffix = path.suffix.lower()
        painted = suffix != ".md"
        if painted not in documents:
            documents[painted] = compose(material, progress, painted=painted)
        write_bytes(path, _encode(documents[painted], suffix))
        progress.say(f"report: {path}")


def _encode(document: Document, suffix: str) -> bytes:
    if suffix == ".md":
        return to_markdown(document).encode()
    page = to_html(document)
    return to_pdf(page) if suffix == ".pdf" else page.encode()


def compose(material: Material, progress: Progress, *, painted: bool) -> Document:
    """What the report says.

    Args:
        material: What it is written from.
        progress: Who listens.
        painted: Whether plots are drawn and pictures painted.
    """
    analysis = material.analysis
    sections = [
        summary_section(material),
        *([comparison_section(material, painted=painted)] if analysis.comparisons else []),
        gallery_section(material, progress, painted=painted),
        spread_section(material, painted=painted),
        subgroups_section(material),
        data_section(material),
        models_section(material, painted=painted),
        methods_section(material),
        making_section(material),
    ]
    moment = material.moment
    date = f"{moment.day} {moment:%B %Y}"
    return Document(f"{join(material.names)} on {_short_title(analysis.cases)}", date, tuple(sections))


def _short_title(cases: Cases) -> str:
    """The title without the directories that a prepared set lies in."""
    return cases.title if cases.store is None else cases.title.replace(str(cases.store.path), cases.store.path.name)
