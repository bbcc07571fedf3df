"""What a report says: the numbers in it, and that it says them in words."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import Failure
from lesionctl.evaluate.analysis import analyse
from lesionctl.evaluate.cases import cases_of_store
from lesionctl.evaluate.gaps import Gap
from lesionctl.evaluate.report.document import Document, Fold, Paragraph, Section, Words
from lesionctl.evaluate.report.leaks import leak_status
from lesionctl.evaluate.report.markdown import escape, to_markdown
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import ModelSide
from lesionctl.runtime.load import load_segmenter


@pytest.fixture(scope="module")
def text(by_hand, document_of):
    """The Markdown of two sides whose Dice is known: 1, 0.9, 0.8, 0.7, none, all twice; and 0.8 each."""
    return to_markdown(document_of(*by_hand({"a": [0, 1, 2, 3, None] * 2, "b": [2] * 10}, resamples=500)))


def test_the_answer_stands_at_the_beginning_in_words(text):
    answer = text.partition("## Summary")[2].split("\n\n")[1]
    assert answer.startswith("On the 10 pictures of truth, by hand, a reaches a mean Dice of 0.680 (95 % interval ")
    assert "Half of the pictures have a Dice of at least 0.800; on 4 of 10 the Jaccard is below 0.65" in answer
    assert "which the ISIC challenge of 2018 counts as failed" in answer
    assert "By Dice it is a tie with b: the difference is −0.1200 (95 % interval " in answer
    assert "For 2 pictures there was no usable prediction" in answer
    assert "too few" not in answer


def test_the_table_has_every_figure_with_interval_quartiles_and_pooled(text):
    row = next(line for line in text.splitlines() if line.startswith("| Dice (F1) ↑"))
    numbers = r"\d\.\d{3} \(\d\.\d{3} to \d\.\d{3}\)"
    assert re.fullmatch(rf"\| Dice \(F1\) ↑ \\\[2\\\] \| {numbers} \| 0\.800 \(0\.700 to 0\.900\) \| {numbers} \|", row)
    assert "| HD95, px ↓ \\[5\\] | 2.0 (2.0 to 2.0) | 2.0 (2.0 to 2.0) | – |" in text


def test_the_confusion_matrix_is_in_pixels_and_in_shares(text):
    # Of a: twice 100 + 90 + 80 + 70 of 500 true pixels were found, 10 + 20 + 30 called lesion wrongly.
    assert "Confusion matrix of a, 2,000 pixels" in text
    assert "| lesion | 680 (34.0 % of all pixels; per image 34.0 %) | 320 (16.0 %" in text
    assert "| background | 120 (6.0 %" in text


def test_failed_predictions_are_told_and_how_they_count(text):
    assert "the picture is scored as one in which nothing was found; it is never left out" in text
    assert "There were such pictures: 2 of a." in text


def test_true_masks_that_were_left_out_and_remarks_are_counted_apart_from_failed_predictions(by_hand, document_of):
    analysis, sides = by_hand({"a": [0] * 3, "b": [1] * 3})
    grey, empty = Failure(Path("grey.png"), "it holds the grey values 0 and 250"), Failure(Path("empty.png"), "empty")
    analysis.cases.left_out.append(empty)
    analysis.cases.remarks.append(grey)
    analysis.cases.gaps.append(Gap(2, 3, "not in table.csv"))
    analysis.summaries[1].evaluation.remarks.extend([grey] * 2)
    text = to_markdown(document_of(analysis, sides))
    assert "Of 4 true masks 1 could not be used, and as many pictures were left out for all sides." in text
    assert "scored by what is above 128, are 1 of the true masks and 2 of the predictions of b." in text
    assert "There were no such pictures." in text  # without a prediction
    assert "- **not known of all**: 2 of 3 pictures are not in table.csv" in text
    assert "### true masks: 1 file that could not be used\n\n- empty.png: empty" in text
    plain = to_markdown(document_of(*by_hand({"a": [0] * 3})))
    assert "All true masks could be used. All mask files that were used are black and white." in plain


def test_too_few_groups_for_an_interval_are_said_to_be(by_hand, document_of):
    text = to_markdown(document_of(*by_hand({"a": [0] * 9, "b": [1] * 9}, resamples=500)))
    assert "9 groups of pictures are too few groups for an interval, which takes 10." in text
    assert "Dice (F1): +0.1000; 9 groups are too few groups for an interval, which takes 10: nothing follows" in text
    assert "No intervals were computed: 9 groups are too few groups for an interval, which takes 10." in text
    none = to_markdown(document_of(*by_hand({"a": [0] * 9, "b": [1] * 9}, resamples=0)))
    assert "too few" not in none.replace("pictures: too few to say much", "")
    assert "Dice (F1): +0.1000; without an interval: nothing follows from it" in none


def test_a_verdict_that_the_p_value_does_not_bear_out_is_told_with_it(by_hand, document_of):
    # Six of ten are ahead by 0.1 and none is behind: p is 2 / 2⁶, and Holm's more than 0.05.
    shifts = {"a": [1] * 10, "b": [2] * 6 + [1] * 4}
    text = to_markdown(document_of(*by_hand(shifts, resamples=500)))
    doubt = r"; so says the interval, but p, corrected for all differences together, is 0\.\d{3}: no evidence of one\."
    assert re.search(r"Dice \(F1\): a is better, by 0\.0600 \(95 % interval 0\.0\d+ to 0\.\d+\)" + doubt, text)
    assert re.search(r"By Dice it is better than b: the difference is \+0\.0600 \(.*?\)" + doubt, text)
    worse = to_markdown(document_of(*by_hand(dict(reversed(shifts.items())), resamples=500)))
    assert re.search(r"Dice \(F1\): b is worse, by 0\.0600 \(95 % interval 0\.0\d+ to 0\.\d+\); so says", worse)


def test_subgroups_of_fewer_than_ten_groups_show_no_interval(by_hand, document_of):
    text = to_markdown(document_of(*by_hand({"a": [number % 4 for number in range(19)]}, resamples=500)))
    rows = [line for line in text.splitlines() if re.match(r"\| (fe)?male \(sex\)", line)]
    assert {row.split("|")[1].strip(): " to " in row for row in rows} == {"male (sex)": True, "female (sex)": False}
    assert "Where there is none, there are too few groups for an interval, which takes 10." in text


def test_small_subgroups_stand_apart(by_hand, document_of):
    text = to_markdown(document_of(*by_hand({"a": [number % 4 for number in range(30)]})))
    assert "**Subgroups of a**" in text
    assert "fewer than 10" not in text
    female = next(line for line in text.splitlines() if line.startswith("| female (sex) | 15 (15 groups)"))
    assert female.split("|")[3].strip() == "0.807"  # shifts 1 and 3 in turn: (8 · 0.9 + 7 · 0.7) / 15
    few = to_markdown(document_of(*by_hand({"a": [0, 1, 2, 3]})))
    assert "**Subgroups of a with fewer than 10 pictures: too few to say much**" in few


def test_comparison_tells_wins_ties_losses_and_the_verdict(by_hand, document_of):
    text = to_markdown(document_of(*by_hand({"a": [0] * 12, "b": [1] * 11 + [0]}, resamples=500)))
    row = next(line for line in text.splitlines() if line.startswith("| Dice (F1) ↑ | 1.000 | 0.908 |"))
    assert "| +0.0917 (" in row
    assert row.endswith("| 11 / 1 / 0 | better |")
    assert "Dice (F1): a is better, by 0.0917 (" in text
    assert "a is ahead on 11 of 12 pictures, behind on 0" in text
    assert "What the models cost" not in text  # they are masks


def test_one_side_has_no_comparison(by_hand, document_of):
    document = document_of(*by_hand({"a": [0, 1]}))
    assert "comparison" not in [section.id for section in document.sections]
    assert "Wilcoxon" not in to_markdown(document)


def test_comparisons_without_the_first_side_are_folded(by_hand, document_of):
    document = document_of(*by_hand({"a": [0, 1], "b": [1, 1], "c": [2, 2]}))
    section = next(section for section in document.sections if section.id == "comparison")
    assert [block.title for block in section.blocks if isinstance(block, Paragraph)] == ["a against b", "a against c"]
    assert [block.title for block in section.blocks if isinstance(block, Fold)] == ["b against c"]


def test_two_models_are_compared_by_what_they_cost_and_told_apart_by_what_they_have_seen(two_models, document_of):
    analysis, sides = two_models
    text = to_markdown(document_of(analysis, sides))
    parameters = [f"{side.model.parameters:,}" for side in sides]
    assert f"| parameters | {parameters[0]} | {parameters[1]} |" in text
    speeds = next(line for line in text.splitlines() if line.startswith("| network alone, pictures/s"))
    assert all(float(cell) > 0 for cell in speeds.split("|")[2:4])
    assert "> [!WARNING]" in text
    assert "one has seen 2 of the 2 pictures in training: its figures are not those of a test" in text
    assert "Whether two has seen some of the pictures in training cannot be known" in text
    assert "a threshold of" in text  # validation


def test_a_test_has_no_best_threshold_and_says_that_nothing_was_seen(real, document_of):
    analysis, sides = real
    text = to_markdown(document_of(analysis, sides))
    assert "Best threshold" not in text
    assert "[!WARNING]" not in text
    assert leak_status(analysis.summaries[0].evaluation) == "None of the 3 pictures, by file."
    assert leak_status(analysis.summaries[1].evaluation).startswith("Cannot be known: these are masks")
    assert f"SHA-256 {analysis.cases.store.info.digest}" in text
    assert "Training of tiny" in text
    assert "2 epochs of 2 at most; the best mean Dice on the validation pictures" in text


def test_what_was_compared_is_named_and_nothing_else(real):
    evaluation = real[0].summaries[0].evaluation
    origin = replace(evaluation.origin, compared=("sha256", "id", "near", "patient_id"))
    said = leak_status(replace(evaluation, origin=origin))
    assert said == "None of the 3 pictures, by file, id, near-duplicate or patient."


def test_what_is_cited_is_numbered_in_the_order_in_which_it_comes_up():
    first = Paragraph((Words("A.", ("holm1979",)), Words("B.", ("efron1979", "holm1979"))))
    folded = Fold("more", (Paragraph((Words("C.", ("dice1945",)),)),))
    document = Document("t", "d", (Section("s", "S", (first, folded)),))
    assert document.numbers == {"holm1979": 1, "efron1979": 2, "dice1945": 3}
    text = to_markdown(document)
    assert "A \\[1\\]. B \\[1, 2\\]." in text
    assert "1. Holm S." in text


def test_every_reference_is_cited_and_the_command_is_quoted(by_hand, document_of):
    analysis, sides = by_hand({"a": [0, 1]})
    text = to_markdown(document_of(analysis, sides, command=["lesionctl", "eval", "--pred", "my masks"]))
    assert "- **command**: lesionctl eval --pred 'my masks'" in text
    body, _, references = text.partition("## References")
    listed = [line.partition(".")[0] for line in references.strip().splitlines()]
    assert listed == [str(number) for number in range(1, len(listed) + 1)]
    assert set(listed) == set(re.findall(r"\d+", " ".join(re.findall(r"\\\[([\d, ]+)\\\]", body))))
    assert "9 March 2026" in text
    assert "seed 3" in text


def test_names_cannot_break_a_table(by_hand, document_of):
    text = to_markdown(document_of(*by_hand({"a|b\n<script>": [0, 1]}, prefix="*x* |")))
    assert "a\\|b \\<script\\>" in text
    assert "<script>" not in text.replace("\\<", "")
    assert escape("a_b [c](d) `e`") == "a\\_b \\[c\\](d) \\`e\\`"


def test_models_that_answer_together_are_one_side(store_path, run_dir, model_file, document_of):
    files = [run_dir / "model.safetensors", model_file]
    side = ModelSide("both", load_segmenter([str(file) for file in files], "cpu"), files)
    evaluations, cases = score([side], cases_of_store(open_store(store_path), Split.TEST))
    text = to_markdown(document_of(analyse(evaluations, cases, resamples=0), [side]))
    assert "| network | mean of 2 models, the first a U-Net over mobilenetv3\\_small\\_050, decoder stride 2 |" in text
    assert "both is the mean of the probabilities of 2 models with" in text
    assert "Training of" not in text  # neither run is the one that made it
