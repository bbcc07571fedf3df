from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.comparison import Verdict, compare, ratio_interval, relative_speed
from lesionctl.bench.result import BenchResult, Row
from lesionctl.runtime.backend import Backend

ENVIRONMENT = {"processor": "EPYC", "torch": "2.9.0", "torch_threads": 2, "gpus": [], "nvidia_driver": None}


def _turns(seconds, turns=8, runs=5, seed=0, drift=0.0, spread=0.01):
    random = np.random.default_rng(seed)
    of_turn = seconds * np.exp(random.normal(0, drift, (turns, 1)))
    return tuple(map(tuple, (of_turn * np.exp(random.normal(0, spread, (turns, runs)))).tolist()))


def _row(seconds, model="lesion-s", backend=Backend.TORCH, **fields):
    case = Case(What.NETWORK, model, backend, device="cpu")
    known = {"runs_on": f"{backend} fp32 cpu", "images": 8, "turns": _turns(seconds, seed=fields.pop("seed", 0))}
    return Row(case, **{**known, **fields})


def _result(*rows, **environment):
    return BenchResult(ENVIRONMENT | environment, rows)


def test_the_ratio_is_of_speeds_and_its_interval_holds_the_truth():
    found = ratio_interval(_turns(0.1, seed=1), _turns(0.2, seed=2), paired=False)
    assert found.low < 2 < found.high
    assert found.value == pytest.approx(2, rel=0.02)
    assert found.high - found.low < 0.1


def test_the_interval_is_the_same_each_time():
    pair = _turns(0.1, seed=1), _turns(0.1, seed=2)
    assert ratio_interval(*pair, paired=True) == ratio_interval(*pair, paired=True)


def test_pairing_cancels_a_drift_that_both_have():
    random = np.random.default_rng(0)
    drift = np.exp(random.normal(0, 0.2, (10, 1)))
    slow, fast = (np.array(_turns(seconds, 10, seed=seed)) * drift for seconds, seed in ((0.103, 1), (0.1, 2)))
    paired = ratio_interval(fast, slow, paired=True)
    unpaired = ratio_interval(fast, slow, paired=False)
    assert unpaired.low < 1 < unpaired.high  # 3 % drown in a drift of 20 %
    assert 1 < paired.low < 1.03 < paired.high < 1.06


def test_runs_of_a_turn_are_not_independent():
    few = ratio_interval(_turns(0.1, 5, 2, 1, drift=0.1), _turns(0.1, 5, 2, 2, drift=0.1), paired=False)
    many = ratio_interval(_turns(0.1, 5, 200, 1, drift=0.1), _turns(0.1, 5, 200, 2, drift=0.1), paired=False)
    assert many.high - many.low > 0.5 * (few.high - few.low)  # as if they were, it would be a tenth


@pytest.mark.parametrize(("turns", "has_interval"), [(3, False), (4, True)])
def test_few_turns_have_no_interval(turns, has_interval):
    found = ratio_interval(_turns(0.1, turns), _turns(0.1, turns), paired=True)
    assert found.value == 1
    assert (found.low is not None) == has_interval


def test_turns_that_cannot_be_paired_are_refused():
    with pytest.raises(ValueError, match="5 turns cannot be paired with 4"):
        ratio_interval(_turns(0.1, 5), _turns(0.1, 4), paired=True)


def test_rows_of_one_run_are_paired_by_the_numbers_of_their_turns():
    turns = tuple((float(number),) for number in range(1, 11))  # the machine slows down all the time
    base = Row(Case(What.NETWORK, "a"), images=1, turns=turns)
    late = Row(Case(What.NETWORK, "b"), images=1, turns=tuple((2 * run,) for (run,) in turns[3:]), first_turn=3)
    found = relative_speed(late, base)
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)
    assert relative_speed(Row(Case(What.NETWORK, "c"), images=1, turns=((1.0,),), first_turn=10), base) is None


def test_pictures_per_second_are_compared_and_not_runs():
    base = Row(Case(What.NETWORK, "a"), images=1, turns=((1.0,),) * 5)
    batch = Row(Case(What.NETWORK, "a", batch_size=8), images=8, turns=((4.0,),) * 5)
    assert relative_speed(batch, base).low == 2


@pytest.mark.parametrize(
    ("now", "before", "peaks", "verdict"),
    [
        (0.1, 0.1, (1, 1), Verdict.NOISE),
        (0.1, 0.12, (1, 1), Verdict.FASTER),
        (0.12, 0.1, (1, 1), Verdict.SLOWER),
        (0.12, 0.1, (None, 1), Verdict.SLOWER),
        (0.12, 0.1, (0.82, 1), Verdict.MACHINE),  # its peak fell by 18 %, the speed by 17 %
        (0.12, 0.1, (0.5, 1), Verdict.MACHINE),
        (0.12, 0.1, (0.98, 1), Verdict.SLOWER),  # a peak that differs by 2 % is the same
        (0.12, 0.1, (1.2, 1), Verdict.SLOWER),
        (0.1, 0.12, (1.3, 1), Verdict.MACHINE),
        (0.1, 0.15, (1.3, 1), Verdict.FASTER),
    ],
)
def test_a_verdict_needs_more_than_chance_and_more_than_the_machine(now, before, peaks, verdict):
    ours, theirs = _row(now, peak=peaks[0], seed=0), _row(before, peak=peaks[1], seed=1)
    (change,) = compare(_result(ours), _result(theirs)).changes
    assert change.verdict is verdict
    assert change.ratio.value == pytest.approx(before / now, rel=0.02)


def test_without_an_interval_there_is_no_verdict():
    (change,) = compare(_result(_row(0.1, turns=_turns(0.1, 2))), _result(_row(0.2))).changes
    assert (change.ratio.low, change.verdict) == (None, None)


def test_rows_belong_together_by_their_cases_and_the_others_are_named():
    failed = Row(Case(What.NETWORK, "lesion-s", Backend.OPENVINO, device="cpu"), reason="not installed")
    now = _result(_row(0.1, "new"), _row(0.1), failed)
    before = _result(_row(0.1), _row(0.1, backend=Backend.OPENVINO), _row(0.1, "old"))
    found = compare(now, before)
    assert [change.now.case.model for change in found.changes] == ["lesion-s"]
    assert [row.case.model for row in found.only_now] == ["new"]
    assert [row.case.label for row in found.only_before] == [
        "network lesion-s openvino auto batch 8",
        "network old torch auto batch 8",
    ]
    assert found.to_dict()["only_now"] == [now.rows[0].case.to_dict()]


def test_rows_of_another_size_do_not_belong_together():
    own = _row(0.1)
    larger = replace(own, case=replace(own.case, size=384))
    found = compare(_result(own, larger), _result(own))
    assert [change.now.case.size for change in found.changes] == [0]
    assert [row.case.label for row in found.only_now] == ["network lesion-s torch auto batch 8 at 384 px"]


def test_what_else_has_changed_is_said():
    work, quality = {"parameters": 1, "multiply_adds": 2, "file_bytes": 3}, {"digest": "a", "dice": 0.91632}
    row = _row(0.1, runs_on="openvino bf16 cpu", work=work | {"parameters": 2}, quality=quality)
    earlier = _row(0.1, work=work, quality=quality | {"dice": 0.91})
    found = compare(_result(row, torch="2.10.0", gpus=["NVIDIA H200"]), _result(earlier, nvidia_driver="570.86"))
    assert found.changes[0].remarks == (
        "it runs on openvino bf16 cpu, and ran on torch fp32 cpu",
        "'lesion-s' is another model than before",
        "its Dice is 0.9163, and was 0.9100",
    )
    assert {
        "torch: 2.10.0, before 2.9.0",
        "gpus: NVIDIA H200, before none",
        "nvidia_driver: not known, before 570.86",
    } <= set(found.remarks)


@pytest.mark.parametrize(("now", "before", "is_another"), [("a", "a", False), ("a", "b", True), ("a", "", False)])
def test_another_model_is_told_by_its_file(now, before, is_another):
    (change,) = compare(_result(_row(0.1, digest=now)), _result(_row(0.1, digest=before))).changes
    assert change.remarks == (("'lesion-s' is another model than before",) if is_another else ())


def test_predictions_from_other_pictures_have_no_verdict():
    def run(digest, drawn):
        rows = [_row(0.1), replace(_row(0.1), case=replace(_row(0.1).case, what=What.PREDICT_ALL))]
        pictures = {"count": 2, "drawn": drawn, "bytes": 3_000_000, "digest": digest}
        return replace(_result(*rows), pictures=pictures)

    same, other = compare(run("a" * 9, True), run("a" * 9, True)), compare(run("a" * 9, True), run("b" * 9, False))
    assert [change.verdict for change in same.changes] == [Verdict.NOISE] * 2
    assert [change.verdict for change in other.changes] == [Verdict.NOISE, None]
    assert "other pictures than before" in other.changes[1].remarks[0]
    assert other.remarks[0] == "pictures: 2 drawn, 3.0 MB, aaaaaaaa, before 2 of one's own, 3.0 MB, bbbbbbbb"


def test_a_machine_that_has_become_slower_is_told_from_the_cases():
    now = _result(*(_row(0.12 * factor, str(factor), peak=0.8, seed=factor) for factor in (1, 2, 3)))
    before = _result(*(_row(0.1 * factor, str(factor), peak=1.0, seed=9) for factor in (1, 2, 3)))
    remarks = compare(now, before).remarks
    assert remarks[0] == "the machine itself is 20 % slower than before (its measured peak)"
    assert remarks[1].startswith("all cases are 17 % slower alike: more likely the machine")
    assert remarks[2].startswith("an interval holds the spread within each run, and not how far the machine drifts")


def test_a_case_without_a_peak_of_its_own_goes_by_the_others():
    now = _result(_row(0.12, "a", seed=1), _row(0.12, "b", peak=0.8, seed=2))
    before = _result(_row(0.1, "a", seed=3), _row(0.1, "b", peak=1.0, seed=4))
    assert [(change.machine, change.verdict) for change in compare(now, before).changes] == [(0.8, Verdict.MACHINE)] * 2


def test_one_case_that_changed_among_others_is_not_put_down_to_the_machine():
    now = _result(_row(0.1, "a", peak=1.0), _row(0.1, "b", peak=1.01), _row(0.2, "c", peak=1.0))
    before = _result(*(_row(0.1, name, peak=1.0, seed=9) for name in "abc"))
    found = compare(now, before)
    assert [change.verdict for change in found.changes] == [Verdict.NOISE, Verdict.NOISE, Verdict.SLOWER]
    assert len(found.remarks) == 1


def test_runs_without_a_case_in_common_are_only_named():
    found = compare(_result(_row(0.1, "a")), _result(_row(0.1, "b")))
    assert (found.changes, found.remarks) == ((), ())
