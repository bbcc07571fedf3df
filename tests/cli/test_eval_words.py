"""What `eval` makes of the words that were typed: what the sides are called, and what makes no sense."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lesionctl.cli.eval_sides import Wanted, name_sides, read_sides
from lesionctl.cli.main import app
from lesionctl.cli.terminal import Terminal
from lesionctl.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ([["runs/a"], ["m.safetensors"]], ["a", "m"]),
        ([["runs/a/"], ["b.onnx", "pred.v2"]], ["a", "b + pred.v2"]),
        ([["one/model.safetensors"], ["two/model.safetensors"]], ["one/model.safetensors", "two/model.safetensors"]),
        ([["run"], ["other/run", "x"]], ["run", "other/run + x"]),
        ([["m"], ["m"], ["a/x"]], ["m (1)", "m (2)", "x"]),
        ([["m", "m"], ["m"]], ["m + m", "m"]),
        ([["."], [".."]], [".", ".."]),
    ],
)
def test_sides_are_named_as_they_were_typed(typed, names):
    assert name_sides(typed) == names


@pytest.fixture
def words(store_path, demo, model_file, tmp_path, monkeypatch):
    """A function: what `lesionctl eval WORDS` is refused with; the directory has pred, truth, empty, store and run."""
    for name in ("pred", "truth"):
        shutil.copytree(demo / "masks", tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "store").symlink_to(store_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").symlink_to(model_file)
    (tmp_path / "cross" / "fold-1").mkdir(parents=True)
    (tmp_path / "table.csv").write_text("id,sex\nA,f\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(line):
        with pytest.raises(UsageError) as caught:
            app(["eval", *line.split()], obj=Terminal(), standalone_mode=False)
        return caught.value.what, caught.value.hint or ""

    return run


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("", "name a STORE, a MODEL and a STORE, or --pred DIR --truth DIR", ""),
        ("--pred pred", "name a STORE", "--pred DIR and a STORE"),
        ("--truth truth", "--truth needs --pred", "on a STORE"),
        ("--pred pred --truth truth store", "--truth and a STORE exclude", "leave one"),
        ("--pred pred run store", "--pred and a MODEL exclude", "--pred pred --against run store"),
        ("--pred pred --truth truth --fold 0", "--fold is about a STORE", "leave it out"),
        ("--pred pred --truth truth --split test", "--split is about a STORE", "leave it out"),
        ("--pred pred --truth truth --seen mark", "--seen is about a STORE", "leave it out"),
        ("--pred pred store --seen mark", "--seen is about models", "leave it out"),
        ("run store --images pred", "--images is about --truth", "leave it out"),
        ("run store --group-by x --metadata table.csv", "--group-by is about --truth", "leave it out"),
        ("--pred pred --truth truth --group-by x", "--group-by x needs a table", "--metadata FILE.csv"),
        ("run store --metadata table.csv", "--metadata alone does nothing", "--by"),
        ("run store --by sex", "no table of metadata has the column 'sex'", "--metadata FILE.csv"),
        ("run store --by age --metadata table.csv", "no table of metadata has the column 'age'", "known: id, sex"),
        ("--pred pred --truth truth --against run", "'run' is a model", "lesionctl prepare"),
        ("run store --against empty", "empty holds neither a model nor masks", "run directory"),
        ("run store --against nowhere", "there is no model and no folder 'nowhere'", "lesion-s"),
        ("run store --against cross", "cross lacks the model of a fold", "train that fold"),
        ("nowhere store", "there is no model 'nowhere'", "lesion-s"),
        ("--pred empty --truth truth", "empty holds no masks", ""),
        ("run store --tolerance 5mm", "--tolerance: '5mm' is no tolerance", ""),
        ("run store --by lesion-area", "no table of metadata has the column 'lesion-area'", "--metadata FILE.csv"),
        ("run store --by diagnosis", "no table of metadata has the column 'diagnosis'", "'diagnosis' is automatic"),
        ("run store --by sex --metadata table.csv", "table.csv has no row of these pictures", "names of picture files"),
        ("run store --fail-under hd95=4", "the lower hd95 is, the better", "demand one of"),
        ("run store --fail-under hd95=0.5", "the lower hd95 is, the better", "demand one of"),
        ("run store --fail-under nsd_3px=0.5", "nsd_3px is demanded and not measured", "add --tolerance 3px"),
        ("--pred pred store --fail-under auc=0.5", "roc_auc cannot be demanded of masks", "of a model"),
        ("run store --csv nowhere/x.csv", "there is no directory nowhere", "make it first"),
        ("run store --csv empty", "empty cannot be written: it is a directory", "name a file"),
        ("run store --report it.docx", "it.docx is no report", ""),
        ("run store --report it.md --report nowhere/it.md", "there is no directory nowhere", ""),
        ("run store --fold 0", "has no fold 0", ""),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_out(words, line, what, hint):
    said, way_out = words(line)
    assert what in said
    assert hint in way_out


@pytest.mark.parametrize("wrong", [("--split", "tset"), ("--seen", "hide"), ("--resamples", "-1")])
def test_values_that_are_none_are_refused_with_exit_code_2(lesionctl, wrong):
    done = lesionctl("eval", "store", *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert wrong[0] in done.stderr


def test_a_folder_is_a_model_where_it_holds_one(words, tmp_path):
    shutil.copytree(tmp_path / "pred", tmp_path / "run" / "pred")
    shutil.copy(next((tmp_path / "pred").iterdir()), tmp_path / "run")
    assert read_sides(["lesion-s"], ["run", "./pred"], first_is_folder=False) == [
        Wanted("lesion-s", ("lesion-s",), None),
        Wanted("run", ("run",), None),
        Wanted("pred", (), Path("pred")),
    ]
