"""The program as a library: `lesionctl.load`, and a model that takes files and arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import lesionctl
from lesionctl.errors import BadFile, Failure, UsageError
from lesionctl.imaging.decode import decode
from lesionctl.runtime import load
from lesionctl.runtime.model import Model


@pytest.fixture(scope="module")
def model(model_file):
    return lesionctl.load(model_file, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def scans(demo):
    """Three picture files."""
    return sorted((demo / "images").iterdir())[:3]


@pytest.fixture(scope="module")
def picture(scans):
    """The pixels of the first of them, uint8 `[H, W, 3]`."""
    return decode(scans[0]).image


class TestLoad:
    """A model by name or path, or several."""

    def test_a_model_is_a_name_or_a_path(self, model_file, run_dir):
        for name in (model_file, str(model_file), [model_file], (str(model_file),)):
            assert lesionctl.load(name, device="cpu").spec.name == "tiny"
        assert lesionctl.load(run_dir, device="cpu").spec.name == "tiny"

    def test_several_answer_together(self, model_file):
        assert lesionctl.load([model_file, str(model_file)], device="cpu").spec.name == "tiny ×2"
        assert lesionctl.load(map(Path, [model_file] * 3), device="cpu").spec.name == "tiny ×3"

    def test_the_bundled_model_is_the_default_and_may_be_named_by_a_path(self, monkeypatch):
        asked = []
        monkeypatch.setattr(load, "load_segmenter", lambda names, *_: asked.append(names))
        for arguments in ((), ("",), ("lesion-s",), (Path("lesion-s"),), (["lesion-s"],)):
            lesionctl.load(*arguments)
        assert asked == [["lesion-s"]] * 5

    def test_what_is_no_model_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match="there is no model"):
            lesionctl.load(tmp_path)
        for wrong in (b"lesion-s", 1, None, [b"lesion-s"], ["lesion-s", 1]):
            with pytest.raises(TypeError, match="a model is a name"):
                lesionctl.load(wrong)
        with pytest.raises(ValueError, match="no model is named"):
            lesionctl.load([])

    @pytest.mark.parametrize("choice", ["precision", "backend"])
    def test_an_unknown_choice_is_refused(self, model_file, choice):
        with pytest.raises(ValueError, match="'fast'"):
            lesionctl.load(model_file, **{choice: "fast"})

    def test_tta_looks_at_eight_views(self, model_file):
        assert lesionctl.load(model_file, device="cpu", tta=True).segmenter.backend.endswith("×8 views")

    def test_importing_the_package_is_light(self):
        code = "import sys, lesionctl; print({'torch', 'numpy', 'cv2', 'PIL', 'rich'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"


class TestSegment:
    """One picture."""

    def test_a_file(self, model, scans, picture):
        for name in (scans[0], str(scans[0])):
            mask, probability = model.segment(name)
            assert (mask.shape, mask.dtype) == (picture.shape[:2], bool)
            assert (probability.shape, probability.dtype) == (picture.shape[:2], np.float32)
            assert 0 <= probability.min() < probability.max() <= 1

    def test_the_pixels_of_a_lossless_file_give_what_the_file_gives(self, model, picture, tmp_path):
        Pillow.fromarray(picture).save(tmp_path / "p.png")
        for found, expected in zip(model.segment(picture), model.segment(tmp_path / "p.png"), strict=True):
            np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize(
        "lay_out",
        [
            np.asfortranarray,
            lambda picture: picture[::-1, ::-1].copy()[::-1, ::-1],
            lambda picture: picture[..., ::-1].copy()[..., ::-1],  # as OpenCV's colours are put right
            lambda picture: picture.transpose(1, 0, 2).copy().transpose(1, 0, 2),
            lambda picture: np.repeat(picture, 2, axis=1)[:, ::2],
        ],
        ids=["Fortran order", "negative strides", "colours turned round", "transposed", "every other"],
    )
    def test_how_an_array_lies_in_memory_does_not_matter(self, model, picture, lay_out):
        laid_out = lay_out(picture)
        assert not laid_out.flags.c_contiguous
        laid_out.flags.writeable = False
        for found, expected in zip(model.segment(laid_out), model.segment(picture), strict=True):
            np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (np.zeros((8, 9, 3), np.float32), r"not float32 \[8, 9, 3\]"),
            (np.zeros((8, 9, 3), np.int64), r"not int64 \[8, 9, 3\]"),
            (np.zeros((8, 9, 3), bool), r"not bool \[8, 9, 3\]"),
            (np.zeros((8, 9), np.uint8), r"not uint8 \[8, 9\]"),
            (np.zeros((8, 9, 4), np.uint8), r"not uint8 \[8, 9, 4\]"),
            (np.zeros((1, 8, 9, 3), np.uint8), r"not uint8 \[1, 8, 9, 3\]"),
            (np.zeros((0, 9, 3), np.uint8), r"not uint8 \[0, 9, 3\]"),
        ],
        ids=["floats", "integers", "bits", "grey", "alpha", "batch", "empty"],
    )
    def test_an_array_that_is_no_picture_is_refused(self, model, wrong, words):
        with pytest.raises(ValueError, match=rf"a picture is uint8 \[H, W, 3\], {words}"):
            model.segment(wrong)

    @pytest.mark.parametrize(
        "wrong",
        [Pillow.new("RGB", (9, 8)), [[[0, 0, 0]]], ["p.png"], b"\xff\xd8\xff", None, 3],
        ids=["Pillow", "numbers", "several", "bytes", "none", "number"],
    )
    def test_what_is_neither_a_file_nor_an_array_is_refused(self, model, wrong):
        with pytest.raises(TypeError, match=rf"the name of a file or an array.* no {type(wrong).__name__}: numpy"):
            model.segment(wrong)

    def test_a_file_that_cannot_be_used_is_named(self, model, tmp_path):
        with pytest.raises(BadFile, match="No such file") as caught:
            model.segment(tmp_path / "missing.jpg")
        assert caught.value.path == tmp_path / "missing.jpg"


class TestSegmentEach:
    """Many files."""

    def test_failures_stay_in_their_place(self, model, scans, tmp_path):
        (tmp_path / "junk.jpg").write_bytes(b"junk" * 100)
        names = [scans[0], str(tmp_path / "missing.jpg"), scans[1], tmp_path / "junk.jpg", str(scans[2])]
        outcomes = list(model.segment_each(iter(names)))
        assert [path for path, _ in outcomes] == [Path(name) for name in names]
        assert [isinstance(found, Failure) for _, found in outcomes] == [False, True, False, True, False]
        assert "No such file" in outcomes[1][1].reason
        assert outcomes[3][1] == Failure(tmp_path / "junk.jpg", "not a picture of a kind that can be read")
        np.testing.assert_array_equal(outcomes[4][1].mask, model.segment(scans[2]).mask)

    def test_nothing_gives_nothing(self, model):
        assert list(model.segment_each([])) == []

    @pytest.mark.parametrize("wrong", ["p.png", Path("p.png"), b"p.png"], ids=["text", "path", "bytes"])
    def test_one_name_alone_is_refused_at_once(self, model, wrong):
        with pytest.raises(TypeError, match=r"takes several files, and not one .*: use segment"):
            model.segment_each(wrong)

    @pytest.mark.parametrize("wrong", [np.zeros((8, 9, 3), np.uint8), b"p.png", None], ids=["array", "bytes", "none"])
    def test_what_is_no_name_is_refused(self, model, wrong):
        with pytest.raises(TypeError, match=f"takes the names of files, and no {type(wrong).__name__}"):
            list(model.segment_each([wrong]))


def test_it_is_what_predict_writes(model_file, model, scans, tmp_path):
    settings = ["--model", model_file, "--device", "cpu", "--precision", "fp32", "--probabilities"]
    command = [sys.executable, "-m", "lesionctl", "predict", *scans, *settings, "--out", tmp_path / "masks"]
    subprocess.run(command, check=True, capture_output=True)
    assert isinstance(model, Model)
    for path, (mask, probability) in model.segment_each(scans):
        written = np.asarray(Pillow.open(tmp_path / "masks" / f"{path.stem}_segmentation.png"))
        np.testing.assert_array_equal(np.where(mask, 255, 0), written)
        levels = np.asarray(Pillow.open(tmp_path / "masks" / f"{path.stem}_probability.png"))
        np.testing.assert_allclose(levels / 65535, probability, atol=2 / 65535)  # rounded, at two sizes
