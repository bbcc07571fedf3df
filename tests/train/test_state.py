"""The state of a run: saved, taken up by the same run, refused by another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lesionctl.dataset.store import StoreInfo
from lesionctl.errors import BadFile, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.train.options import Resume, TrainOptions
from lesionctl.train.state import RunState, identify_run, load_state, save_state

OPTIONS = TrainOptions()
STORE = StoreInfo(64, ResizeRule.SQUASH, 0, "digest")
RUN = identify_run(OPTIONS, STORE)


@pytest.fixture
def saved(tmp_path):
    state = RunState(
        RUN,
        epoch=3,
        step=7,
        loss_sum=1.25,
        best_dice=0.75,
        best_epoch=2,
        history=[{"epoch": 1, "loss": 0.5}],
        modules={"net": {"w": torch.arange(3.0)}},
    )
    save_state(tmp_path / "state.pt", state)
    return tmp_path / "state.pt"


def test_state_is_read_back(saved):
    state = load_state(saved, RUN, Resume.AUTO)
    assert (state.epoch, state.step, state.loss_sum) == (3, 7, 1.25)
    assert (state.best_dice, state.best_epoch) == (0.75, 2)
    assert state.history == [{"epoch": 1, "loss": 0.5}]
    assert torch.equal(state.modules["net"]["w"], torch.arange(3.0))
    assert state.run == RUN


def test_random_generator_goes_on_where_it_was(tmp_path):
    torch.manual_seed(5)
    torch.rand(10)
    save_state(tmp_path / "state.pt", RunState(RUN))
    expected = torch.rand(4)
    torch.manual_seed(0)
    load_state(tmp_path / "state.pt", RUN, Resume.AUTO)
    assert torch.equal(torch.rand(4), expected)


def test_no_state_is_a_beginning_unless_one_must_be_there(tmp_path):
    for resume in (Resume.AUTO, Resume.NEVER):
        assert load_state(tmp_path / "state.pt", RUN, resume) is None
    with pytest.raises(UsageError, match="holds no state to go on from"):
        load_state(tmp_path / "state.pt", RUN, Resume.MUST)


def test_standing_state_is_refused_by_who_wants_to_begin(saved):
    with pytest.raises(UsageError, match="holds a run already"):
        load_state(saved, RUN, Resume.NEVER)


@pytest.mark.parametrize(
    ("name", "value", "before", "now"),
    [
        ("lr", 0.01, "0.001", "0.01"),
        ("size", 320, "256", "320"),
        ("epochs", 50, "40", "50"),
        ("seed", 1, "0", "1"),
        ("encoder", "resnet18", "tf_efficientnet_lite0", "resnet18"),
        ("augment", False, "True", "False"),
        ("fold", 0, "None", "0"),
        ("decoder_channels", (8, 8, 8, 8, 8), r"\[256, 128, 64, 32, 16\]", r"\[8, 8, 8, 8, 8\]"),
    ],
)
def test_other_option_is_refused_by_name_with_both_values(saved, name, value, before, now):
    run = identify_run(replace(OPTIONS, **{name: value}), STORE)
    with pytest.raises(UsageError, match=f"holds a run with another {name}: {before}, not {now}") as caught:
        load_state(saved, run, Resume.AUTO)
    assert "choose another --out" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "now"),
    [
        ({"digest": "other"}, "other at 64 px, squash"),
        ({"size": 96}, "digest at 96 px, squash"),
        ({"resize": ResizeRule.PAD}, "digest at 64 px, pad"),
    ],
)
def test_other_data_are_refused(saved, change, now):
    with pytest.raises(UsageError, match=f"holds a run with another data: digest at 64 px, squash, not {now}"):
        load_state(saved, identify_run(OPTIONS, replace(STORE, **change)), Resume.MUST)


def test_a_fold_of_a_run_cannot_be_left_out_or_changed(tmp_path):
    save_state(tmp_path / "state.pt", RunState(identify_run(replace(OPTIONS, fold=0), STORE)))
    for fold in (None, 1):
        with pytest.raises(UsageError, match=f"holds a run with another fold: 0, not {fold}"):
            load_state(tmp_path / "state.pt", identify_run(replace(OPTIONS, fold=fold), STORE), Resume.AUTO)


@pytest.mark.parametrize(("name", "value"), [("workers", 4), ("device", "cuda"), ("allow_seen", True)])
def test_what_changes_nothing_of_the_result_may_change(saved, name, value):
    assert load_state(saved, identify_run(replace(OPTIONS, **{name: value}), STORE), Resume.MUST).step == 7


@pytest.mark.parametrize("name", ["init", "encoder_weights"])
def test_file_is_known_by_its_content_and_not_by_its_name(tmp_path, name):
    def run_with(path, content):
        path.write_bytes(content)
        return identify_run(replace(OPTIONS, **{name: str(path)}), STORE)

    one, same, other = (tmp_path / n for n in ("one", "same", "other"))
    assert run_with(one, b"1") == run_with(same, b"1")
    assert run_with(one, b"1") != run_with(other, b"2")
    assert run_with(one, b"1") != run_with(one, b"2")


def save_object(value):
    return lambda path: torch.save(value, path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"junk" * 100),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        save_object([1, 2]),
        save_object({"run": 5}),
        save_object({"unknown": 5}),
    ],
    ids=["empty", "junk", "half", "a byte too short", "list", "no run", "unknown"],
)
def test_damaged_state_is_a_bad_file(saved, damage):
    damage(saved)
    with pytest.raises(BadFile, match="is a damaged state") as caught:
        load_state(saved, RUN, Resume.AUTO)
    assert caught.value.path == saved
