"""What is cited: every entry can be found, and every key that is used has one."""

from __future__ import annotations

import re

import pytest

from lesionctl.citations import Citation, load_citations
from lesionctl.scoring.figures import figure
from lesionctl.scoring.overlap import FIGURES

CITATIONS = load_citations()


def test_an_entry_reads_as_in_a_reference_list():
    assert CITATIONS["dice1945"].text == (
        "Dice LR. Measures of the amount of ecologic association between species. Ecology 26(3), 297–302, 1945. "
        "doi:10.2307/1932409."
    )
    assert CITATIONS["dice1945"].address == "https://doi.org/10.2307/1932409"


def test_a_preprint_is_found_at_arxiv_and_what_has_no_number_nowhere():
    assert CITATIONS["isic2018"].address == "https://arxiv.org/abs/1902.03368"
    assert CITATIONS["isic2018"].text.endswith("arXiv:1902.03368.")
    assert CITATIONS["holm1979"].address == ""


@pytest.mark.parametrize("key", CITATIONS)
def test_every_entry_is_complete_and_well_formed(key):
    entry = CITATIONS[key]
    assert entry.authors
    assert entry.venue
    assert not entry.authors.endswith(".")  # the text adds it
    assert 1900 < entry.year < 2030
    assert re.fullmatch(r"(10\.\d{4,}/\S+)?", entry.doi)
    assert re.fullmatch(r"(\d{4}\.\d{4,5})?", entry.arxiv)


def test_no_two_entries_are_the_same_paper():
    titles = [entry.title.casefold() for entry in CITATIONS.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    "name", [*FIGURES, "hd95", "assd", "nsd_5px", "boundary_iou", "roc_auc", "average_precision", "brier", "ece"]
)
def test_every_figure_cites_something_that_is_there(name):
    assert figure(name).citation in CITATIONS


def test_a_title_that_ends_in_a_question_gets_no_full_stop():
    assert Citation("A B", "Why?", "Venue", 2020).text == "A B. Why? Venue, 2020."
