"""Reports as files: each form, and what is refused before anything is scored."""

from __future__ import annotations

import builtins
import subprocess
import sys
from importlib.util import find_spec

import pytest

from lesionctl.errors import LesionctlError, MissingExtra, UsageError
from lesionctl.evaluate.report import report
from lesionctl.evaluate.report.report import check_report, write_reports
from lesionctl.progress import Silent


def test_html_and_markdown_say_the_same(real, tmp_path):
    write_reports([tmp_path / "report.html", tmp_path / "report.md"], *real, command=["lesionctl", "eval"])
    page, text = ((tmp_path / name).read_text() for name in ("report.html", "report.md"))
    for heading in ("Summary", "Comparison", "Pictures", "Distribution and errors", "Data", "Methods", "References"):
        assert f"<h2>{heading}</h2>" in page
        assert f"## {heading}" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]


def test_pdf_is_written_with_weasyprint(by_hand, tmp_path):
    if find_spec("weasyprint") is None:  # not importorskip, which would import it without what `load_weasyprint` does
        pytest.skip("the extra pdf is not installed")
    write_reports([tmp_path / "report.pdf"], *by_hand({"a": [0, 1]}))
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


def test_capital_letters_in_the_name_are_no_other_form(by_hand, tmp_path):
    write_reports([tmp_path / "REPORT.MD", tmp_path / "REPORT.Html"], *by_hand({"a": [0, 1]}))
    assert (tmp_path / "REPORT.MD").read_text().startswith("# a on truth")
    assert (tmp_path / "REPORT.Html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["report.docx", "report", "report.HTM"])
def test_another_form_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.html, \.md, \.pdf"):
        check_report(tmp_path / name)


def test_a_place_where_it_cannot_be_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no directory"):
        check_report(tmp_path / "missing" / "report.html")
    (tmp_path / "taken.md").mkdir()
    with pytest.raises(UsageError, match="it is a directory"):
        check_report(tmp_path / "taken.md")


def test_without_matplotlib_the_extra_is_named_but_markdown_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "find_spec", {}.get)
    with pytest.raises(MissingExtra) as raised:
        check_report(tmp_path / "report.html")
    assert raised.value.hint == "pip install 'lesionctl[plot]'"
    check_report(tmp_path / "report.md")


@pytest.mark.parametrize(
    ("fault", "kind", "expected"),
    [
        (ImportError("no module"), MissingExtra, "pip install 'lesionctl[pdf]'"),
        (OSError("cannot load library 'libpango-1.0-0'"), LesionctlError, "apt install libpango-1.0-0"),
    ],
)
def test_without_weasyprint_or_its_libraries_it_is_said_what_to_install(tmp_path, monkeypatch, fault, kind, expected):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "weasyprint":
            raise fault
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(kind) as raised:
        check_report(tmp_path / "report.pdf")
    assert expected in raised.value.hint
    check_report(tmp_path / "report.html")


def test_a_damaged_record_of_a_run_is_warned_of_and_left_out(real, tmp_path, monkeypatch):
    heard = []

    class Listener(Silent):
        def warn(self, message):
            heard.append(message)

    analysis, sides = real
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.csv").write_text("epoch\nmany\n")
    monkeypatch.setattr(type(sides[0].model), "run", run)
    write_reports([tmp_path / "report.md"], analysis, sides, progress=Listener())
    assert "the report does without the record of a run" in heard[0]
    assert "Training of" not in (tmp_path / "report.md").read_text()


def test_pictures_that_are_cut_off_stay_errors_beside_weasyprint():
    """In a process of its own, where nothing has imported it yet."""
    if find_spec("weasyprint") is None:
        pytest.skip("the extra pdf is not installed")
    program = """
import io
from pathlib import Path
from PIL import Image
from lesionctl.errors import BadFile
from lesionctl.evaluate.report.pdf import load_weasyprint
from lesionctl.imaging.decode import decode_bytes
load_weasyprint()
content = io.BytesIO()
Image.effect_noise((64, 64), 50).save(content, "jpeg")
try:
    decode_bytes(content.getvalue()[:-600], Path("cut.jpg"))
except BadFile as error:
    print(error.reason)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "the file is cut off: its end is missing\n"
