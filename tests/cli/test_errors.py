"""Errors are for people: what, where, what to do; a traceback only on request."""

from __future__ import annotations

import pytest


def of(done):
    """The error and its hint, of a run that says nothing else."""
    assert done.stdout == ""
    error, *hint = done.stderr.rstrip("\n").split("\nhint: ")
    return error.removeprefix("error: "), *hint


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (("fetch", "dmeo"), "there is no set named 'dmeo'", "did you mean 'demo'?"),
        (("predict", "nowhere.jpg", "--out", "m"), "there is no file or folder 'nowhere.jpg'", None),
        (("eval", "nowhere"), "nowhere: is no prepared set", "lesionctl prepare"),
        (("eval",), "name a STORE", None),
        (("prepare", "--out", "s"), "there is nothing to prepare", "--images DIR --masks DIR"),
        (("prepare", "--images", "x", "--out", "s"), "--images and --masks go together", None),
        (("train", "s", "--out", "r", "--decoder-stride", "3"), "--decoder-stride cannot be 3", None),
        (("train", "s", "--out", "r", "--decoder-channels", "a,b"), "--decoder-channels 'a,b'", None),
        (("export", "lesion-x"), "there is no model 'lesion-x'", "lesion-s"),
    ],
)
def test_error_says_what_is_wrong_and_what_to_do(lesionctl, arguments, what, hint):
    done = lesionctl(*arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert f"error: {what}" in done.stderr
    assert hint is None or hint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        # words that nobody knows
        ("trian", "there is no command 'trian'", "did you mean 'train'?"),
        ("xyz", "there is no command 'xyz'", "known: fetch, prepare, train, eval, predict, export, bench, help"),
        ("fetch --cuont 3", "there is no option --cuont of lesionctl fetch", "did you mean '--count'?"),
        ("--ofline fetch", "there is no option --ofline", "did you mean '--offline'?"),
        ("predict -rx a", "there is no option -x of lesionctl predict", "see: lesionctl predict --help"),
        (
            "predict --quiet x",
            "there is no option --quiet of lesionctl predict",
            "it stands before the command: lesionctl --quiet predict …",
        ),
        ("--tta predict", "there is no option --tta", "it stands after the command: lesionctl predict --tta …"),
        (
            "export --arch unet",
            "there is no option --arch of lesionctl export",
            "it is an option of lesionctl train; see: lesionctl export --help",
        ),
        ("train s r", "'r' is one word too many", "usage: lesionctl train [OPTION]... STORE"),
        # what is missing
        (
            "predict",
            "--out is missing",
            "usage: lesionctl predict [OPTION]... --out DIR [INPUT...]\n"
            "  such as: lesionctl predict demo/images --out masks",
        ),
        (
            "train",
            "STORE is missing",
            "usage: lesionctl train [OPTION]... STORE\n  such as: lesionctl train demo.store --out run --epochs 10",
        ),
        ("fetch --count", "--count needs a value", "give it: --count INTEGER"),
        ("train s --arch", "--arch needs a value", "one of: unet, deeplabv3plus, classic"),
        ("fetch --list=yes", "--list takes no value", "leave out what follows the ="),
        # values
        ("train s --arch unt", "--arch cannot be 'unt'", "did you mean 'unet'?"),
        ("eval s --split tset", "--split cannot be 'tset'", "did you mean 'test'?"),
        ("eval s --fold one", "--fold is 'one', which is no whole number", None),
        ("fetch --count 0", "--count is 0, and must be at least 1", None),
        ("fetch --timeout soon", "--timeout is 'soon', which is no number", None),
        ("prepare x --out s --binarise-at 255", "--binarise-at is 255, and must be at most 254", None),
        ("bench --batch-size 8 --batch-size x", "--batch-size is 'x', which is no whole number", None),
        # names of sets, models, encoders
        ("fetch isci2018", "there is no set named 'isci2018'", "did you mean 'isic2018'?"),
        ("prepare isic2108 --out s", "there is no folder, table or fetched set 'isic2108'", "did you mean 'isic2018'?"),
        ("eval lesion-z s", "there is no model 'lesion-z'", "did you mean 'lesion-s'?"),
        ("export lesion-z", "there is no model 'lesion-z'", "did you mean 'lesion-s'?"),
        ("train s --out r --init lesion-z", "there is no model 'lesion-z'", "did you mean 'lesion-s'?"),
        ("help slrum", "there is no topic and no command 'slrum'", "did you mean 'slurm'?"),
    ],
)
def test_misspelt_and_missing_words_are_named_with_what_to_type(lesionctl, words, what, hint):
    done = lesionctl(*words.split())
    assert done.returncode == 2
    assert of(done) == ((what, hint) if hint else (what,))


def test_an_encoder_that_is_misspelt_has_near_ones(lesionctl, store_path):
    done = lesionctl("train", store_path, "--out", "r", "--encoder", "resnet43", "--encoder-weights", "none")
    assert done.returncode == 2
    assert "error: timm has no encoder named 'resnet43'\nhint: did you mean 'resnet34'" in done.stderr


def test_debug_shows_the_traceback(lesionctl):
    assert "Traceback" in lesionctl("--debug", "fetch", "dmeo").stderr


def test_a_variable_set_to_0_does_not_ask_for_the_traceback(lesionctl):
    assert "Traceback" not in lesionctl("fetch", "dmeo", LESIONCTL_DEBUG="0").stderr
    assert "Traceback" in lesionctl("fetch", "dmeo", LESIONCTL_DEBUG="1").stderr


def test_an_error_in_a_value_tells_where_the_value_came_from(lesionctl, tmp_path):
    done = lesionctl("fetch", LESIONCTL_FETCH_COUNT="many")
    assert of(done) == ("LESIONCTL_FETCH_COUNT is 'many', which is no whole number",)
    done = lesionctl("fetch", LESIONCTL_QUIET="maybe")
    assert of(done)[0] == "LESIONCTL_QUIET is 'maybe', neither true nor false"

    (tmp_path / "c.toml").write_text("[fetch]\ncount = 'many'\n")
    done = lesionctl("--config", "c.toml", "fetch")
    assert of(done) == ("c.toml: [fetch] count is 'many', which is no whole number",)

    # what the command itself finds
    done = lesionctl("train", "s", "--out", "r", LESIONCTL_TRAIN_LR="-1")
    assert of(done) == ("--lr cannot be -1.0", "--lr comes from LESIONCTL_TRAIN_LR")
    (tmp_path / "c.toml").write_text("[train]\nlr = -1\n")
    done = lesionctl("--config", "c.toml", "train", "s", "--out", "r")
    assert of(done) == ("--lr cannot be -1.0", "--lr comes from lr under [train] in c.toml")
    assert of(lesionctl("train", "s", "--out", "r", "--lr", "-1")) == ("--lr cannot be -1.0",)


def test_errors_are_coloured_on_a_terminal_alone(lesionctl):
    assert "\x1b" not in lesionctl("trian").stderr
    assert lesionctl("trian", LESIONCTL_COLOR="always").stderr.startswith("\x1b[")
