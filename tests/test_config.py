from __future__ import annotations

import pytest

from lesionctl.config import Parameter, read_config
from lesionctl.errors import BadFile, UsageError

KNOWN = {
    "train": {
        "epochs": Parameter("epochs", several=False),
        "json": Parameter("as_json", several=False),
        "decoder_channels": Parameter("decoder_channels", several=False),
    },
    "prepare": {"sources": Parameter("sources", several=True)},
}


def read(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    return read_config(tmp_path / "c.toml", KNOWN)


def test_keys_are_options_without_their_dashes(tmp_path):
    assert read(tmp_path, "[train]\nepochs = 3\njson = true\n") == {"train": {"epochs": 3, "as_json": True}}


def test_a_list_is_joined_unless_the_parameter_takes_several(tmp_path):
    text = "[train]\ndecoder-channels = [8, 4]\n[prepare]\nsources = ['a', 'b']\n"
    assert read(tmp_path, text) == {"train": {"decoder_channels": "8,4"}, "prepare": {"sources": ["a", "b"]}}


def test_a_lone_value_is_one_of_several(tmp_path):
    assert read(tmp_path, "[prepare]\nsources = 'a'\n") == {"prepare": {"sources": ["a"]}}


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[train]\nepoch = 3\n", "epoch in", "did you mean 'epochs'?"),
        ("[trian]\nepochs = 3\n", "trian", "did you mean 'train'?"),
        ("epochs = 3\n", "epochs", "known: prepare, train"),
    ],
)
def test_unknown_keys_are_errors_with_a_suggestion(tmp_path, text, what, hint):
    with pytest.raises(UsageError, match=what) as caught:
        read(tmp_path, text)
    assert caught.value.hint == hint


@pytest.mark.parametrize("content", [b"[train", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(BadFile, match=r"c\.toml"):
        read_config(tmp_path / "c.toml", KNOWN)
