"""Errors are for people: what, where, what to do; a traceback only on request."""

from __future__ import annotations

import pytest


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


def test_debug_shows_the_traceback(lesionctl):
    assert "Traceback" in lesionctl("--debug", "fetch", "dmeo").stderr


def test_a_variable_set_to_0_does_not_ask_for_the_traceback(lesionctl):
    assert "Traceback" not in lesionctl("fetch", "dmeo", LESIONCTL_DEBUG="0").stderr
    assert "Traceback" in lesionctl("fetch", "dmeo", LESIONCTL_DEBUG="1").stderr


def test_unknown_key_of_a_configuration_file_is_refused_with_a_suggestion(lesionctl, tmp_path):
    (tmp_path / "c.toml").write_text("[train]\nepoch = 3\n")
    done = lesionctl("--config", "c.toml", "train", "s", "--out", "r")
    assert done.returncode == 2
    assert "epoch in [train]" in done.stderr
    assert "did you mean 'epochs'?" in done.stderr


@pytest.mark.parametrize(
    ("variables", "arguments", "pictures"),
    [
        ({}, (), 2),  # the file
        ({"LESIONCTL_FETCH_COUNT": "3"}, (), 3),  # a variable beats the file
        ({"LESIONCTL_FETCH_COUNT": "3"}, ("--count", "1"), 1),  # what is typed beats both
    ],
)
def test_typed_value_beats_variable_beats_file(lesionctl, tmp_path, variables, arguments, pictures):
    (tmp_path / "c.toml").write_text("[fetch]\ncount = 2\n")
    done = lesionctl("--config", "c.toml", "fetch", "demo", "--to", "d", *arguments, **variables)
    assert done.returncode == 0
    assert len(list((tmp_path / "d" / "images").iterdir())) == pictures
