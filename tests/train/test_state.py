"""The state of a run: saved, taken up by the same run, refused by another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lesionctl.dataset.store import StoreInfo
from lesionctl.errors import BadFile, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.progress import Silent
from lesionctl.train.options import Loss, Resume, TrainOptions
from lesionctl.train.state import RunState, identify_run, load_state, save_state, saved_batch_size

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
    state = load_state(saved, RUN, Resume.AUTO, Silent())
    assert (state.epoch, state.step, state.loss_sum) == (3, 7, 1.25)
    assert (state.best_dice, state.best_epoch) == (0.75, 2)
    assert state.history == [{"epoch": 1, "loss": 0.5}]
    assert torch.equal(state.modules["net"]["w"], torch.arange(3.0))
    assert state.run == RUN


def test_no_state_is_a_beginning_unless_one_must_be_there(tmp_path):
    for resume in (Resume.AUTO, Resume.NEVER):
        assert load_state(tmp_path / "state.pt", RUN, resume, Silent()) is None
    with pytest.raises(UsageError, match="holds no state to go on from"):
        load_state(tmp_path / "state.pt", RUN, Resume.MUST, Silent())


def test_standing_state_is_refused_by_who_wants_to_begin(saved):
    with pytest.raises(UsageError, match="holds a run already"):
        load_state(saved, RUN, Resume.NEVER, Silent())


@pytest.mark.parametrize(
    ("name", "value", "before", "now"),
    [
        ("lr", 0.01, "0.001", "0.01"),
        ("size", 320, "256", "320"),
        ("epochs", 50, "40", "50"),
        ("seed", 1, "0", "1"),
        ("encoder", "resnet18", "tf_efficientnet_lite0", "resnet18"),
        ("augment", "none", r"standard \(\w{12}\)", r"none \(\w{12}\)"),
        ("loss", Loss.FOCAL, "bce-dice", "focal"),
        ("fold", 0, "None", "0"),
        ("decoder_channels", (8, 8, 8, 8, 8), r"\[256, 128, 64, 32, 16\]", r"\[8, 8, 8, 8, 8\]"),
    ],
)
def test_other_option_is_refused_by_name_with_both_values(saved, name, value, before, now):
    run = identify_run(replace(OPTIONS, **{name: value}), STORE)
    with pytest.raises(UsageError, match=f"holds a run with another {name}: {before}, not {now}") as caught:
        load_state(saved, run, Resume.AUTO, Silent())
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
        load_state(saved, identify_run(OPTIONS, replace(STORE, **change)), Resume.MUST, Silent())


def test_a_fold_of_a_run_cannot_be_left_out_or_changed(tmp_path):
    save_state(tmp_path / "state.pt", RunState(identify_run(replace(OPTIONS, fold=0), STORE)))
    for fold in (None, 1):
        with pytest.raises(UsageError, match=f"holds a run with another fold: 0, not {fold}"):
            load_state(tmp_path / "state.pt", identify_run(replace(OPTIONS, fold=fold), STORE), Resume.AUTO, Silent())


@pytest.mark.parametrize(
    ("name", "value"), [("workers", 4), ("device", "cuda"), ("allow_seen", True), ("save_every", 1.0), ("overlays", 0)]
)
def test_what_changes_nothing_of_the_result_may_change(saved, name, value):
    assert load_state(saved, identify_run(replace(OPTIONS, **{name: value}), STORE), Resume.MUST, Silent()).step == 7


def test_a_run_without_teachers_and_weights_is_what_it_was_before_there_were_any(saved):
    assert not {"teacher", "teacher_share", "source_weight"} & RUN.keys()
    run = identify_run(replace(OPTIONS, source_weight=(("ham", 2.0),)), STORE)
    with pytest.raises(UsageError, match=r"holds a run with another source_weight: None, not \['ham=2.0'\]"):
        load_state(saved, run, Resume.AUTO, Silent())


def test_teachers_are_known_by_their_content_and_their_share(tmp_path):
    for name, content in (("one", b"1"), ("same", b"1"), ("other", b"2")):
        (tmp_path / name).write_bytes(content)

    def run_with(*names, share=0.5):
        files = tuple(str(tmp_path / name) for name in names)
        return identify_run(replace(OPTIONS, teacher=files, teacher_share=share), STORE)

    assert run_with("one", "other") == run_with("same", "other")
    assert run_with("one") != run_with("other")
    assert run_with("one") != run_with("one", "other")
    assert run_with("one") != run_with("one", share=0.75)


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
        load_state(saved, RUN, Resume.AUTO, Silent())
    assert caught.value.path == saved


class Listener(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def two_generations(tmp_path):
    for step in (7, 8):
        save_state(tmp_path / "state.pt", RunState(RUN, step=step))
    return tmp_path / "state.pt"


def test_two_generations_are_kept_and_the_newest_is_taken(two_generations):
    names = sorted(path.name for path in two_generations.parent.iterdir())
    assert names == ["state.previous.pt", "state.pt"]
    listener = Listener()
    assert load_state(two_generations, RUN, Resume.AUTO, listener).step == 8
    assert listener.warnings == []


@pytest.mark.parametrize("byte", [10, 500, -1])
def test_damaged_newest_state_is_told_of_and_the_one_before_it_taken(two_generations, byte):
    content = bytearray(two_generations.read_bytes())
    content[byte] ^= 1
    two_generations.write_bytes(content)
    listener = Listener()
    assert load_state(two_generations, RUN, Resume.AUTO, listener).step == 7
    assert len(listener.warnings) == 1
    assert "damaged" in listener.warnings[0]
    assert "state.previous.pt" in listener.warnings[0]


def test_process_killed_between_two_generations_leaves_the_older(two_generations):
    two_generations.unlink()
    assert load_state(two_generations, RUN, Resume.MUST, Silent()).step == 7


def test_process_killed_before_the_generations_moved_leaves_the_newest(two_generations):
    content = two_generations.read_bytes()
    two_generations.write_bytes(content[: len(content) // 2])  # what was there was damaged, and taken for the older one
    save_state(two_generations.with_name("other.pt"), RunState(RUN, step=9))
    two_generations.with_name("other.pt").rename(two_generations.with_stem("state.next"))
    assert load_state(two_generations, RUN, Resume.MUST, Silent()).step == 9
    save_state(two_generations, RunState(RUN, step=10))
    assert sorted(path.name for path in two_generations.parent.iterdir()) == ["state.previous.pt", "state.pt"]


def test_both_generations_damaged_are_a_bad_file(two_generations):
    for path in two_generations.parent.iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(BadFile, match="is a damaged state"):
        load_state(two_generations, RUN, Resume.AUTO, Silent())


def test_another_number_of_processes_is_another_run(saved):
    with pytest.raises(UsageError, match="holds a run with another processes: 1, not 2"):
        load_state(saved, identify_run(OPTIONS, STORE, 2), Resume.AUTO, Silent())


def test_recipe_is_known_by_what_it_does_and_not_by_its_name(tmp_path):
    def run_with(text):
        (tmp_path / "mine.toml").write_text(text)
        return identify_run(replace(OPTIONS, augment=str(tmp_path / "mine.toml")), STORE)

    dihedral = '[[step]]\nname = "dihedral"\np = 1.0\n'
    assert run_with(dihedral) == run_with(f"# a remark\n{dihedral}")
    assert run_with(dihedral) != run_with(dihedral.replace("1.0", "0.5"))


def test_batch_size_of_a_run_is_known(saved, tmp_path):
    assert saved_batch_size(saved, Silent()) == 16
    assert saved_batch_size(tmp_path / "none" / "state.pt", Silent()) is None
