"""What is typed beats a variable, which beats a file; and a run's own configuration is such a file."""

from __future__ import annotations

import json
import tomllib

import pytest
import typer

from lesionctl.cli.command_line import build_tree
from lesionctl.cli.documents.program import describe
from lesionctl.cli.main import app

PROGRAM = describe(app)
OPTIONS = [(command, option) for command in PROGRAM.commands for option in command.options if option.variable]
REQUIRED = {"prepare": ("--out", "s"), "predict": ("--out", "m"), "train": ("s",)}


@pytest.fixture(scope="module")
def tree():
    return build_tree(app)


def sample(option):
    """A value of the option that is not its default, as it is typed."""
    if option.is_flag:
        return "1"
    if option.choices:
        return next(choice for choice in reversed(option.choices) if choice != option.default)
    return str(int(option.lowest or 0) + 3) if option.kind in (int, float) else "text"


@pytest.mark.parametrize(
    ("command", "option"), OPTIONS, ids=[f"{command.name} {option.names[-1]}" for command, option in OPTIONS]
)
def test_each_option_has_a_variable_that_does_what_it_does(tree, monkeypatch, command, option):
    assert option.variable == f"LESIONCTL_{command.name}_{option.names[-1][2:]}".upper().replace("-", "_")
    own, value = tree.commands[command.name], sample(option)
    required = () if option.required else REQUIRED.get(command.name, ())
    typed = [option.names[-1]] if option.is_flag else [option.names[-1], value]
    by_word = own.make_context(command.name, [*required, *typed])
    monkeypatch.setenv(option.variable, value)
    by_variable = own.make_context(command.name, [*required])
    assert by_variable.get_parameter_source(option.argument).name == "ENVIRONMENT"
    assert by_variable.params[option.argument] == by_word.params[option.argument]


@pytest.mark.parametrize("option", [option for option in PROGRAM.options if option.variable], ids=lambda o: o.key)
def test_global_options_have_variables_too(tree, option):
    assert option.variable == f"LESIONCTL_{option.key}".upper()
    assert option.variable in [parameter.envvar for parameter in tree.params]


def test_global_variables_and_keys_have_an_effect(lesionctl, tmp_path):
    shown = lesionctl("fetch", "demo", "--to", "a", "--count", "1")
    assert "licence:" in shown.stderr
    quiet = lesionctl("fetch", "demo", "--to", "b", "--count", "1", LESIONCTL_QUIET="1")
    assert (quiet.stderr, quiet.stdout) == ("", "b\n")
    (tmp_path / "c.toml").write_text("quiet = true\n[fetch]\ncount = 2\n")
    quiet = lesionctl("fetch", "demo", "--to", "c", LESIONCTL_CONFIG="c.toml")
    assert (quiet.stderr, len(list((tmp_path / "c" / "images").iterdir()))) == ("", 2)
    offline = lesionctl("fetch", "isic2016:test", LESIONCTL_OFFLINE="1", LESIONCTL_CACHE_DIR=str(tmp_path / "cache"))
    assert offline.returncode != 0
    assert "offline" in offline.stderr


def test_flags_by_other_names_in_python_listen_to_their_variables(lesionctl):
    assert lesionctl("fetch", "demo", LESIONCTL_FETCH_LIST="1").stdout.startswith("sets")
    assert json.loads(lesionctl("fetch", "--list", LESIONCTL_FETCH_JSON="1").stdout)[0]["name"]


def test_a_variable_without_effect_is_named_with_the_one_that_was_meant(lesionctl):
    done = lesionctl("fetch", "--list", LESIONCTL_FETCH_CUONT="3", LESIONCTL_TEST_X="1", LESIONCTL_NONSENSE="1")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: the variable LESIONCTL_FETCH_CUONT has no effect: did you mean 'LESIONCTL_FETCH_COUNT'?",
        "warning: the variable LESIONCTL_NONSENSE has no effect: see: lesionctl help environment",
    ]


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


def test_the_file_of_config_stands_in_place_of_the_users_own(lesionctl, tmp_path):
    own = tmp_path / "config" / "lesionctl" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[fetch]\ncount = 2\nseed = 5\n")
    (tmp_path / "c.toml").write_text("[fetch]\ncount = 1\n")
    lesionctl("--save-config", "own.toml", "fetch", "--list")
    lesionctl("--config", "c.toml", "--save-config", "c2.toml", "fetch", "--list")
    first, second = (tomllib.loads((tmp_path / name).read_text())["fetch"] for name in ("own.toml", "c2.toml"))
    assert (first["count"], first["seed"]) == (2, 5)
    assert (second["count"], second["seed"]) == (1, 0)


def test_help_stands_when_the_users_own_file_is_broken(lesionctl, tmp_path):
    own = tmp_path / "config" / "lesionctl" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[fetch")
    assert lesionctl("fetch", "--help").returncode == 0
    done = lesionctl("fetch", "--list")
    assert (done.returncode, f"error: {own}: is no TOML file" in done.stderr) == (1, True)


def test_tree_has_no_variable_that_the_manual_lacks(tree):
    for command in tree.commands.values():
        described = next(one for one in PROGRAM.commands if one.name == command.name)
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        assert {option.envvar for option in options} == {option.variable for option in described.options} - {""}
    assert typer.main.get_command(app).context_settings == {"help_option_names": ["-h", "--help"]}
