"""Recipes: what a file may say, what is said of one that says something else, and when two do the same."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionctl.errors import BadFile, UsageError
from lesionctl.train.augment.recipe import BUILT_IN, Recipe, Step, read_recipe
from lesionctl.train.augment.steps import ONE_OF, SIZING, STEPS, Number, Span


@pytest.fixture
def read(tmp_path):
    """A function that reads a recipe from text."""

    def read_text(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return read_recipe(str(path))

    return read_text


@pytest.mark.parametrize(("name", "steps"), [("none", 0), ("light", 5), ("standard", 13), ("strong", 17)])
def test_built_in_recipes_are_found_by_name(name, steps):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert len(recipe.steps) == steps


def test_built_in_recipes_differ_and_none_makes_the_colours_constant():
    recipes = [read_recipe(name) for name in BUILT_IN]
    assert len({recipe.digest for recipe in recipes}) == 4
    assert not any(step.name == "colour_constancy" for recipe in recipes for step in recipe.steps)


def test_what_is_left_out_has_its_default(read):
    recipe = read('[[step]]\nname = "affine"\nrotate = [-10, 10]\n')
    assert recipe.steps == (
        Step(
            "affine",
            1.0,
            (
                ("scale", (0.8, 1.1)),
                ("rotate", (-10.0, 10.0)),
                ("shear", (-8, 8)),
                ("translate", (-0.08, 0.08)),
                ("border", "reflect"),
            ),
        ),
    )


def test_digest_is_of_what_is_done_not_of_how_it_is_written(read):
    short = read('[[step]]\nname = "blur"\n')
    long = read('# my own\n[[step]]\nsigma = [0.30, 1.5]  # pixels\np = 1\nname = "blur"\n')
    assert short.digest == long.digest
    assert short == long


@pytest.mark.parametrize(
    "text",
    [
        '[[step]]\nname = "blur"\np = 0.5\n',
        '[[step]]\nname = "blur"\nsigma = [0.3, 1.6]\n',
        '[[step]]\nname = "sharpen"\n',
        '[[step]]\nname = "blur"\n[[step]]\nname = "dihedral"\n',
        '[[step]]\nname = "one_of"\n[[step.choice]]\nname = "blur"\n',
        "",
    ],
)
def test_digest_changes_with_what_is_done(read, text):
    assert read(text).digest != read('[[step]]\nname = "blur"\n').digest


def _parameter(known):
    if not isinstance(known, (Number, Span)):
        return st.sampled_from(known.words)
    number = st.integers(int(known.least), int(known.most)) if known.whole else st.floats(known.least, known.most)
    if isinstance(known, Number):
        return number.map(float)
    return st.tuples(number.map(float), number.map(float)).map(sorted).map(tuple)


def _step(name, share):
    values = st.tuples(*(st.tuples(st.just(key), _parameter(known)) for key, known in STEPS[name].items()))
    return st.builds(Step, st.just(name), st.just(1.0) if name == "resize" else share, values)


_shares = st.floats(0, 1)
_choices = st.lists(
    st.sampled_from(sorted(STEPS.keys() - SIZING)).flatmap(lambda n: _step(n, st.just(1.0))), min_size=1
)
_steps = st.sampled_from(sorted(STEPS)).flatmap(lambda name: _step(name, _shares)) | st.builds(
    Step, st.just(ONE_OF), _shares, choices=_choices.map(tuple)
)


@settings(max_examples=30)
@given(st.lists(_steps, max_size=4).map(tuple))
def test_recipe_survives_its_file(tmp_path_factory, steps):
    path = tmp_path_factory.getbasetemp() / "survivor.toml"
    recipe = Recipe("written", steps)
    path.write_text(recipe.to_toml())
    again = read_recipe(str(path))
    assert again == recipe
    assert again.digest == recipe.digest


def test_recipe_is_plain_frozen_data():
    recipe = read_recipe("standard")
    assert hash(recipe) == hash(read_recipe("standard"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.steps[0].p = 0.5


def test_unknown_name_gets_the_nearest_as_a_hint():
    with pytest.raises(UsageError, match="there is no augmentation 'standrad'") as caught:
        read_recipe("standrad")
    assert caught.value.hint.startswith("did you mean 'standard'?")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"mine\.toml: cannot be read"):
        read_recipe(str(tmp_path / "mine.toml"))


def test_file_that_is_no_toml_is_named(read):
    with pytest.raises(BadFile, match=r"mine\.toml: is no TOML file"):
        read("[[step]\n")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('name = "mine"', r"mine\.toml sets name, which is unknown", "[[step]]"),
        ("step = 3", r"mine\.toml: step is no list", "[[step]]"),
        ("[[step]]\np = 0.5", r"mine\.toml: step 1 has no name", "dihedral"),
        ('[[step]]\nname = "hair"\n[[step]]\nname = "afine"', r"step 2 \(afine\) is unknown", "mean 'affine'?"),
        ('[[step]]\nname = "affine"\nrotat = [0, 1]', r"step 1 \(affine\) sets rotat,", "mean 'rotate'?"),
        ('[[step]]\nname = "affine"\nrotate = 45', r"rotate has two ends, such as \[-45, 45\], not 45", None),
        ('[[step]]\nname = "affine"\nrotate = ["a", "b"]', r"rotate is a number, such as -45, not 'a'", None),
        ('[[step]]\nname = "affine"\nrotate = [9, -9]', r"rotate begins at its smaller end, not with \[9, -9\]", None),
        ('[[step]]\nname = "affine"\nrotate = [0, 400]', "rotate lies within -360 and 360, not at 400", None),
        ('[[step]]\nname = "affine"\nrotate = [0, nan]', "rotate lies within -360 and 360, not at nan", None),
        ('[[step]]\nname = "affine"\nborder = "white"', "border is one of reflect, black, not 'white'", None),
        ('[[step]]\nname = "jpeg"\nquality = [40.5, 90]', r"quality has whole ends, such as \[40, 90\]", None),
        ('[[step]]\nname = "elastic"\ngrid = true', "grid is a number, such as 4, not True", None),
        ('[[step]]\nname = "elastic"\ngrid = 4.5', "grid is a whole number, such as 4, not 4.5", None),
        ('[[step]]\nname = "hair"\np = 1.5', r"step 1 \(hair\): p lies within 0 and 1, not at 1.5", None),
        ('[[step]]\nname = "resize"\np = 0.5', r"step 1 \(resize\) sets p", "same size"),
        ('[[step]]\nname = "one_of"', r"step 1 \(one_of\) has no choices", "[[step.choice]]"),
        ('[[step]]\nname = "one_of"\nof = 1\n[[step.choice]]\nname = "blur"', "sets of, which it does not", "choices"),
        ('[[step]]\nname = "one_of"\n[[step.choice]]\nname = "blurr"', r"choice 1 \(blurr\) is unknown", "'blur'"),
        ('[[step]]\nname = "one_of"\n[[step.choice]]\nname = "blur"\np = 1', "choice 1 sets p", "as likely"),
        ('[[step]]\nname = "one_of"\n[[step.choice]]\nname = "resize"', "resize can be no choice", "same size"),
    ],
)
def test_message_names_the_step_and_says_what_would_do(read, text, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        read(text)
    assert "mine.toml" in caught.value.what
    assert caught.value.hint is None if hint is None else hint in caught.value.hint
