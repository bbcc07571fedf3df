from __future__ import annotations

import pytest

from lesionctl.config import Parameter, find_fault, read_config
from lesionctl.errors import BadFile, UsageError

KNOWN = {
    "train": {
        "epochs": Parameter("epochs", several=False, kind=int, lowest=0),
        "lr": Parameter("lr", several=False, kind=float),
        "arch": Parameter("arch", several=False, choices=("unet", "classic")),
        "json": Parameter("as_json", several=False, kind=bool),
        "batch_size": Parameter("batch_size", several=False),
        "decoder_channels": Parameter("decoder_channels", several=False),
    },
    "prepare": {
        "sources": Parameter("sources", several=True),
        "size": Parameter("size", several=False, kind=int, lowest=32, highest=4096),
    },
}
OF_PROGRAM = {"offline": Parameter("offline", several=False, kind=bool)}


def read(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    return read_config(tmp_path / "c.toml", KNOWN, OF_PROGRAM)


def test_keys_are_options_without_their_dashes(tmp_path):
    assert read(tmp_path, "[train]\nepochs = 3\njson = true\n") == {"train": {"epochs": 3, "as_json": True}}


def test_a_list_of_widths_is_joined(tmp_path):
    text = "[train]\ndecoder-channels = [8, 4]\n[prepare]\nsources = ['a', 'b']\n"
    assert read(tmp_path, text) == {"train": {"decoder_channels": "8,4"}, "prepare": {"sources": ["a", "b"]}}


def test_a_lone_value_is_one_of_several(tmp_path):
    assert read(tmp_path, "[prepare]\nsources = 'a'\n") == {"prepare": {"sources": ["a"]}}


def test_options_of_the_program_stand_above_the_tables(tmp_path):
    assert read(tmp_path, "offline = true\n[train]\nepochs = 3\n") == {"offline": True, "train": {"epochs": 3}}


def test_a_number_reaches_an_option_of_text_as_text(tmp_path):
    assert read(tmp_path, "[train]\nbatch_size = 8\n") == {"train": {"batch_size": "8"}}


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[train]\nepoch = 3\n", ": [train] epoch is unknown", "did you mean 'epochs'?"),
        ("[trian]\nepochs = 3\n", " has a table [trian], which is unknown", "did you mean 'train'?"),
        ("epochs = 3\n", ": epochs is unknown", "it belongs into [train]"),
        ("ofline = true\n", ": ofline is unknown", "did you mean 'offline'?"),
        ("train = 3\n", ": train is unknown", "did you mean 'train'?"),
        ("[train]\nepochs = 'many'\n", ": [train] epochs is 'many', which is no whole number", None),
        ("[train]\nepochs = 2.5\n", ": [train] epochs is 2.5, which is no whole number", None),
        ("[train]\nepochs = true\n", ": [train] epochs is true", "give a whole number"),
        ("[train]\nepochs = [3]\n", ": [train] epochs is a list", "give one value"),
        ("[train]\nepochs = -1\n", ": [train] epochs is -1, and must be at least 0", None),
        ("[train]\nlr = 'slow'\n", ": [train] lr is 'slow', which is no number", None),
        ("[train]\narch = 'unt'\n", ": [train] arch cannot be 'unt'", "did you mean 'unet'?"),
        ("[train]\narch = ['unet', 'classic']\n", ": [train] arch is a list", "give one value"),
        ("[train]\njson = 'maybe'\n", ": [train] json is 'maybe', neither true nor false", None),
        ("[train.epochs]\nfirst = 3\n", ": [train] epochs is a table", "give one value"),
        ("[train]\nbatch_size = 1979-05-27\n", ": [train] batch_size is 1979-05-27", "give text, in quotation marks"),
        ("[prepare]\nsources = [['a']]\n", ": [prepare] sources is a list", "give one value"),
        ("[prepare]\nsize = 9000\n", ": [prepare] size is 9000, and must be at most 4096", None),
        ("offline = 'no way'\n", ": offline is 'no way', neither true nor false", None),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file_and_key(tmp_path, text, what, hint):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert caught.value.what == f"{tmp_path / 'c.toml'}{what}"
    assert hint is None or caught.value.hint == hint


@pytest.mark.parametrize("content", [b"[train", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(BadFile, match=r"c\.toml"):
        read_config(tmp_path / "c.toml", KNOWN, OF_PROGRAM)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [(int, ["3", "-1"], ["3.0", "x", ""]), (float, ["3", "1e-3"], ["x", ""]), (bool, ["1", "no", "TRUE"], ["2", ""])],
)
def test_typed_values_are_judged_as_text(kind, good, bad):
    parameter = Parameter("x", several=False, kind=kind)
    assert [find_fault(parameter, value) for value in good] == [None] * len(good)
    assert None not in [find_fault(parameter, value) for value in bad]
