"""The self-configuring mode: what it decides from which numbers, and that a person's word stands."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace

import pytest
import torch

from lesionctl.config import Parameter, read_config
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile, GateError, UsageError
from lesionctl.nets.spec import Arch
from lesionctl.paths import BUNDLED_MODELS, CACHE_VARIABLE
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.memory.batch_size import BatchFit
from lesionctl.train.options import AUTO_BATCH_SIZE, Loss, TrainOptions
from lesionctl.train.planning import plan, situation
from lesionctl.train.planning.decisions import Decisions
from lesionctl.train.planning.network import plan_network, plan_size
from lesionctl.train.planning.pace import Pace, measure_pace
from lesionctl.train.planning.plan import make_plan
from lesionctl.train.planning.plan_file import Plan, read_plan
from lesionctl.train.planning.schedule import (
    plan_augmentation,
    plan_epochs,
    plan_epochs_within,
    plan_for_steps,
    plan_rates,
    plan_repeat,
)
from lesionctl.train.planning.situation import Situation

CPU = Compute(torch.device("cpu"), Precision.FP32)
GIB = 2**30
THERE = Situation(train=1000, validation=100, side=512, native=1024, small_lesion=0.02, device="cpu")
NOTHING = frozenset()


@pytest.fixture
def store(store_path):
    """7 pictures to train on, 2 for validation."""
    return open_store(store_path)


@pytest.fixture
def seen_store(store):
    """The same, where one validation picture is one that lesion-s has learned."""
    with (BUNDLED_MODELS / "lesion-s.split.csv").open(newline="") as file:
        rows = csv.DictReader(file)
        known = next(value for row in rows for value in row.values() if value and value.startswith("ISIC_"))
    first = int(store.rows(Split.VALIDATION)[0])
    samples = [replace(s, id=known) if row == first else s for row, s in enumerate(store.samples)]
    return replace(store, samples=samples)


@pytest.fixture
def measured(monkeypatch):
    """A function that says what fits and how fast the device is, instead of measuring."""

    def set_up(fits=1024, step=0.5, validation=0.25):
        def largest_batch_size(options, spec, compute, largest):
            return BatchFit(min(fits, largest), 10**9, 10**10)

        monkeypatch.setattr(plan, "largest_batch_size", largest_batch_size)
        monkeypatch.setattr(plan, "measure_pace", lambda *_: Pace(step, validation))

    set_up()
    return set_up


def decide(rule, there, options=None, given=NOTHING):
    decisions = Decisions(options or TrainOptions(), given)
    rule(decisions, there)
    return decisions


@pytest.mark.parametrize(
    ("changes", "expected", "why"),
    [
        ({"small_lesion": 0.02}, 256, "the least on cpu"),  # 32 px would need 201
        ({"small_lesion": 0.0095}, 320, "covers 0.9 %: 35 px across"),  # 291
        ({"small_lesion": 0.001}, 384, "the most on cpu"),  # 897
        ({"small_lesion": 0.001, "device": "cuda"}, 512, "the store has 512 px"),
        ({"small_lesion": 0.001, "device": "cuda", "side": 1024}, 768, "the most on cuda"),
        ({"small_lesion": 0.02, "device": "cuda"}, 384, "the least on cuda"),
        ({"small_lesion": 0.001, "native": 270}, 288, "half of the pictures are no larger than 270 px"),
        ({"small_lesion": 0.001, "side": 300}, 288, "the store has 300 px"),
        ({"side": 64}, 64, "the store has 64 px"),
        ({"small_lesion": 0.0}, 384, "covers 0.0 %"),
    ],
)
def test_small_lesions_get_more_pixels_as_far_as_device_pictures_and_store_allow(changes, expected, why):
    decisions = decide(plan_size, replace(THERE, **changes))
    assert decisions.options.size == expected
    assert expected % 32 == 0
    assert why in decisions.reasons["size"]


def test_a_model_to_start_from_keeps_at_least_the_size_that_it_was_trained_at(model_file):
    options = TrainOptions(init=str(model_file))  # trained at 64 px
    decisions = decide(plan_size, replace(THERE, small_lesion=0.9), options)
    assert decisions.options.size == 64
    assert decisions.reasons["size"].startswith("tiny was trained at 64;")


def test_few_pictures_start_from_the_bundled_model(store):
    decisions = Decisions(TrainOptions(), NOTHING)
    plan_network(decisions, store, replace(THERE, train=7))
    assert decisions.options.init == str((BUNDLED_MODELS / "lesion-s.safetensors").resolve())
    assert "7 training pictures, fewer than 1000" in decisions.reasons["init"]
    assert "CC BY-NC 4.0" in decisions.reasons["init"]
    assert decisions.reasons.keys() == {"init"}


def test_a_model_that_has_seen_the_validation_pictures_is_no_start(seen_store):
    decisions = Decisions(TrainOptions(), NOTHING)
    plan_network(decisions, seen_store, replace(THERE, train=7))
    assert (decisions.options.init, decisions.options.encoder) == ("", "tf_efficientnet_lite0")
    assert "lesion-s has seen 1 of the 2 validation pictures" in decisions.reasons["encoder"]


def test_who_allows_it_to_have_seen_them_gets_it(seen_store):
    decisions = Decisions(TrainOptions(allow_seen=True), frozenset({"allow_seen"}))
    plan_network(decisions, seen_store, replace(THERE, train=7))
    assert decisions.options.init


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """A cache without weights of encoders."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    ("changes", "encoder", "widths"),
    [
        ({"device": "cpu"}, "tf_efficientnet_lite0", (160, 96, 48, 32)),
        ({"device": "mps"}, "tf_efficientnet_lite0", (160, 96, 48, 32)),
        ({"device": "cuda", "gpu_memory": 4 * GIB}, "tf_efficientnet_lite0", (160, 96, 48, 32)),
        ({"device": "cuda", "gpu_memory": 8 * GIB}, "resnet34", (256, 128, 64, 32, 16)),
        ({"device": "cuda", "gpu_memory": 80 * GIB}, "resnet34", (256, 128, 64, 32, 16)),
        ({"device": "cuda", "gpu_memory": 80 * GIB, "train": 5000}, "resnet50", (256, 128, 64, 32, 16)),
    ],
)
def test_the_encoder_is_as_large_as_device_and_set_can_bear(store, changes, encoder, widths):
    decisions = Decisions(TrainOptions(), NOTHING)
    plan_network(decisions, store, replace(THERE, **changes))
    assert (decisions.options.encoder, decisions.options.decoder_channels) == (encoder, widths)
    assert f"lesionctl fetch --encoder {encoder}" in decisions.reasons["encoder_weights"]


def test_a_network_that_is_given_stays_and_only_its_own_options_are_planned(store):
    options = TrainOptions(arch=Arch.DEEPLABV3PLUS, encoder="resnet18")
    decisions = Decisions(options, frozenset({"arch", "encoder"}))
    plan_network(decisions, store, replace(THERE, train=7))
    assert decisions.reasons.keys() == {"arch", "encoder", "encoder_weights", "output_stride"}
    assert decisions.reasons["encoder"] == "given"
    assert decisions.options.init == ""


def test_the_classic_net_is_half_as_wide_on_the_cpu_and_starts_from_random_weights(store):
    decisions = Decisions(TrainOptions(arch=Arch.CLASSIC), frozenset({"arch"}))
    plan_network(decisions, store, THERE)
    assert decisions.options.widths == (32, 64, 128, 256, 512)
    assert decisions.options.encoder_weights == "none"
    assert decisions.reasons.keys() == {"arch", "widths"}


@pytest.mark.parametrize(
    ("pictures", "expected"), [(10, "strong"), (499, "strong"), (500, "standard"), (20_000, "light")]
)
def test_few_pictures_are_varied_more(pictures, expected):
    assert decide(plan_augmentation, replace(THERE, train=pictures)).options.augment == expected


@pytest.mark.parametrize(
    ("options", "train", "lr", "layer_decay", "weight_decay"),
    [
        ({"batch_size": 16}, 5000, 1e-3, 1.0, 0.01),
        ({"batch_size": 8, "accumulate": 8}, 5000, 2e-3, 1.0, 0.01),  # as for 64 at once
        ({"batch_size": 16}, 300, 1e-3, 0.8, 0.05),
        ({"batch_size": 4, "init": "m"}, 7, 1e-4, 0.8, 0.01),
        ({"batch_size": 16, "init": "m"}, 5000, 2e-4, 1.0, 0.01),
    ],
)
def test_rates_are_lower_for_weights_that_are_good_already_and_for_small_batches(
    options, train, lr, layer_decay, weight_decay
):
    got = decide(plan_rates, replace(THERE, train=train), TrainOptions(**options)).options
    assert (got.lr, got.layer_decay, got.weight_decay) == (lr, layer_decay, weight_decay)


@pytest.mark.parametrize(
    ("train", "options", "repeat", "epochs"),
    [
        (7, {"batch_size": 4, "init": "m"}, 19, 15),  # 33 steps of 4; 2000 views at least
        (1083, {}, 1, 31),  # 1000 × √1083 = 32909 views; 67 steps of 16
        (1083, {"encoder_weights": "none"}, 1, 61),
        (8000, {}, 1, 11),  # 89443 views
        (250_000, {}, 1, 3),  # at least
    ],
)
def test_each_picture_is_shown_more_often_the_fewer_there_are(train, options, repeat, epochs):
    there = replace(THERE, train=train)
    decisions = decide(plan_repeat, there, TrainOptions(**options))
    plan_epochs(decisions, there)
    assert (decisions.options.repeat, decisions.options.epochs) == (repeat, epochs)


def test_a_gpu_is_asked_for_twice_the_views():
    there = replace(THERE, train=1083, device="cuda")
    decisions = decide(plan_repeat, there)
    plan_epochs(decisions, there)
    assert decisions.options.epochs == 61


@pytest.mark.parametrize(
    ("budget", "epochs", "why"),
    [
        # 62 steps of 0.5 s and 100 pictures of 0.01 s: 32 s an epoch, 3 s at the end, 20 s of measuring
        (1000, 27, "90 % of 16m40s, less 20 s of measuring"),  # (900 - 23) / 32 = 27.4
        (62, 1, "62 steps of 0.5 s and 100 to validate of 0.01 s"),  # (55.8 - 23) / 32 = 1.03
        (100_000, 128, "4 times the usual"),  # 126491 views, 992 in an epoch
    ],
)
def test_a_budget_is_filled_with_epochs_as_far_as_they_are_worth_while(budget, epochs, why):
    decisions = Decisions(TrainOptions(repeat=1), NOTHING)
    plan_epochs_within(decisions, THERE, budget, 20, Pace(0.5, 0.01))
    assert decisions.options.epochs == epochs
    assert why in decisions.reasons["epochs"]


def test_a_budget_too_short_for_an_epoch_is_refused_with_one_that_is_long_enough():
    with pytest.raises(UsageError, match="a budget of 1m is too short: one epoch takes 32s here") as caught:
        plan_epochs_within(Decisions(TrainOptions(repeat=1), NOTHING), THERE, 60, 20, Pace(0.5, 0.01))
    assert caught.value.hint.startswith("give --budget 1m2s or more")  # 55 / 0.9 = 61.1 s


@pytest.mark.parametrize(
    ("epochs", "patience", "warmup", "ema"),
    [
        (100, 50, 0.05, 0.9978),  # 6200 steps, half-life 310: 0.5 ** (1 / 310)
        (8, 5, 0.101, 0.9724),  # 496 steps, 50 of them rising, half-life 24.8
        (1, 5, 0.2, 0.7996),  # 62 steps, half-life 3.1
        (10_000, 5000, 0.05, 0.9995),  # at most
    ],
)
def test_what_depends_on_the_length_of_the_run_follows_it(epochs, patience, warmup, ema):
    got = decide(plan_for_steps, THERE, TrainOptions(epochs=epochs, repeat=1)).options
    assert (got.patience, got.warmup, got.ema) == (patience, warmup, ema)


def test_ten_pictures_of_ones_own_have_a_whole_plan(store, measured):
    made = make_plan(store, TrainOptions(), NOTHING, None, CPU)
    got = made.options
    assert (got.size, got.batch_size, got.accumulate, got.lr) == (64, 4, 1, 1e-4)
    assert (got.repeat, got.epochs, got.augment) == (19, 15, "strong")
    assert all(reason and "\n" not in reason for reason in made.reasons.values())
    assert "small (2)" in made.remarks[-1]
    assert "--folds 5" in made.remarks[-1]
    assert make_plan(store, TrainOptions(), NOTHING, None, CPU) == made


def test_where_a_batch_does_not_fit_at_once_it_is_added_up(store, measured):
    measured(fits=2)
    made = make_plan(store, TrainOptions(), NOTHING, None, CPU)
    assert (made.options.batch_size, made.options.accumulate) == (2, 2)
    assert made.reasons["accumulate"] == "2 × 2 = 4 pictures per step"
    assert made.reasons["batch_size"] == "needs 954 MB of 9.3 GB, measured; of 7 training pictures"


def test_what_a_person_gave_stands(store, measured):
    options = TrainOptions(epochs=3, lr=0.5, batch_size=2, size=32, loss=Loss.LOVASZ, device="cpu")
    given = frozenset({"epochs", "lr", "batch_size", "size", "loss", "device"})
    made = make_plan(store, options, given, 60, CPU)
    assert all(getattr(made.options, name) == getattr(options, name) for name in given)
    assert {name for name, reason in made.reasons.items() if reason == "given"} == given
    assert made.options.accumulate == 1


def test_a_batch_size_that_is_given_as_auto_is_measured(store, measured):
    made = make_plan(store, TrainOptions(batch_size=AUTO_BATCH_SIZE), frozenset({"batch_size"}), None, CPU)
    assert made.options.batch_size == 4


def test_with_a_budget_the_pace_decides_on_the_epochs(store, measured):
    made = make_plan(store, TrainOptions(), NOTHING, 300, CPU)
    assert 10 <= made.options.epochs <= 15  # 33 steps of 0.5 s and 2 × 0.25 s are 17 s an epoch: 15, less the measuring


def test_a_plan_for_a_gpu_takes_what_its_memory_bears(store, measured, monkeypatch):
    monkeypatch.setattr(situation, "gpu_memory", lambda _: 80 * GIB)
    gpu = Compute(torch.device("cuda"), Precision.BF16)
    options = TrainOptions(encoder_weights="none")
    made = make_plan(store, options, frozenset({"encoder_weights"}), None, gpu)
    assert made.options.encoder == "resnet34"
    assert "80 GB of memory" in made.remarks[0]


def test_a_fold_is_planned_on_its_own_splits_and_a_set_with_folds_recommends_them(folded_path, measured):
    store = open_store(folded_path)
    made = make_plan(store, TrainOptions(fold=2), frozenset({"fold"}), None, CPU)
    fold = store.at_fold(2)
    assert made.remarks[0].split(": ")[1].startswith(f"{len(fold.rows(Split.TRAIN))} pictures to train on")
    assert made.reasons["fold"] == "given"
    assert "--folds 3" in made.remarks[-1]


def test_a_set_without_validation_is_refused(store):
    samples = [replace(s, split=Split.TRAIN) if s.split is Split.VALIDATION else s for s in store.samples]
    with pytest.raises(UsageError, match="has no val split"):
        make_plan(replace(store, samples=samples), TrainOptions(), NOTHING, None, CPU)


def test_a_given_model_that_has_seen_the_validation_is_refused_before_anything_is_measured(seen_store):
    options = TrainOptions(init=str(BUNDLED_MODELS / "lesion-s.safetensors"))
    with pytest.raises(GateError, match="has seen 1 of the 2"):
        make_plan(seen_store, options, frozenset({"init"}), None, CPU)


def test_the_pace_is_that_of_real_steps(store, tiny_options, tiny_spec):
    pace = measure_pace(replace(tiny_options, repeat=1), tiny_spec, store, CPU)
    assert pace.step > 0
    assert pace.validation > 0


def test_the_file_has_a_line_for_each_value_with_its_reason_aligned(store, measured):
    made = make_plan(store, TrainOptions(encoder="resnet18"), frozenset({"encoder"}), None, CPU)
    text = made.to_toml()
    lines = text[text.index("[train]\n") :].splitlines()[1:]
    assert [line.partition(" ")[0] for line in lines] == list(made.reasons)
    assert len({line.index("#") for line in lines}) == 1
    assert "decoder_channels = [256, 128, 64, 32, 16]" in text
    assert all(line.startswith("# ") for line in text[: text.index("[train]")].splitlines())
    table = tomllib.loads(text)["train"]
    assert table == {name: made.options.resolved()[name] for name in made.reasons}


def test_the_file_serves_as_a_configuration(store, measured, tmp_path):
    (tmp_path / "plan.toml").write_text(make_plan(store, TrainOptions(), NOTHING, None, CPU).to_toml())
    options = TrainOptions().resolved()
    known = {"train": {name: Parameter(name, False, type(value)) for name, value in options.items()}}
    values = read_config(tmp_path / "plan.toml", known, {})["train"]
    assert values["init"] == "lesion-s"  # by its name, so that the file serves on another machine too
    assert values["epochs"] == 15


def test_the_file_gives_back_the_options(store, measured, tmp_path):
    words = {"encoder": "resnet18", "loss": Loss.FOCAL, "training_data": 'a "set"\nof two lines', "name": "x" * 40}
    for options, given in ((TrainOptions(), NOTHING), (TrainOptions(**words), frozenset(words))):
        made = make_plan(store, options, given, None, CPU)
        (tmp_path / "plan.toml").write_text(made.to_toml())
        before = TrainOptions(init="the default")  # what the program would start from without a plan
        assert replace(before, **read_plan(tmp_path / "plan.toml")) == made.options


def test_a_person_may_write_the_file_as_a_configuration_is_written(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[train]\nbatch-size = "auto"\ndecoder-channels = "64,32"\nlr = 1\nfold = 2\nprecision = "fp32"\n')
    values = read_plan(path)
    assert values == {"batch_size": 0, "decoder_channels": (64, 32), "lr": 1.0, "fold": 2, "precision": Precision.FP32}
    assert isinstance(values["lr"], float)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[train]\nepoch = 3\n", "sets epoch, which is no option of train"),
        ("[train]\nepochs = 3.5\n", "sets epochs to 3.5, which it cannot be"),
        ("[train]\nepochs = true\n", "sets epochs to True"),
        ('[train]\nloss = "dice"\n', "sets loss to 'dice'"),
        ('[train]\ntensorboard = "yes"\n', "sets tensorboard to 'yes'"),
        ("[train\n", "is no plan"),
        ("epochs = 3\n", "is no plan"),
    ],
)
def test_a_plan_that_says_what_cannot_be_is_refused(tmp_path, text, expected):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(BadFile, match=expected):
        read_plan(path)


def test_a_plan_with_nothing_in_it_is_a_plan():
    assert Plan(TrainOptions(), {}).to_toml() == "[train]\n"
