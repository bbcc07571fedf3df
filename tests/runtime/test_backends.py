"""Which backend runs a model: the one that was asked for, or the fastest that is there and needs no conversion.

And all of them find the same lesions.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.errors import LesionctlError, MissingExtra, UsageError
from lesionctl.nets.model_file import read_model_spec
from lesionctl.paths import BUNDLED_MODELS, DEFAULT_MODEL
from lesionctl.runtime import backend as choice
from lesionctl.runtime import load
from lesionctl.runtime.backend import MANY_PICTURES, Backend, fastest_for_onnx, fastest_on_cpu
from lesionctl.runtime.load import bundled_models, digest_of, find_model, load_segmenter
from lesionctl.runtime.precision import Precision
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice

AUTO, TORCH, ONNX, OPENVINO = Backend


@pytest.fixture
def installed(monkeypatch):
    """A function that says which backends are there."""

    def say(*backends):
        monkeypatch.setattr(Backend, "works", property(lambda backend: backend in {TORCH, *backends}))

    return say


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def alone(model_file, tmp_path):
    """The tiny model file in a folder of its own."""
    return shutil.copy(model_file, tmp_path / "tiny.safetensors")


@pytest.fixture
def with_twin(alone, stamped_onnx):
    """The tiny model file, and beside it an ONNX file that was made from it."""
    alone.with_suffix(".onnx").write_bytes(stamped_onnx(digest_of(alone)))
    return alone


@pytest.fixture
def conversions(stamped_onnx, monkeypatch):
    """The sources of all conversions to ONNX, which take no time: each gives the tiny model."""
    sources = []

    def convert(spec, net, *, source):
        sources.append(source)
        return stamped_onnx(source)

    monkeypatch.setattr("lesionctl.runtime.to_onnx.to_onnx", convert)
    return sources


@pytest.mark.parametrize(
    ("there", "bf16", "precision", "pictures", "expected"),
    [
        ([ONNX, OPENVINO], True, Precision.AUTO, 1, OPENVINO),
        ([ONNX, OPENVINO], False, Precision.FP32, None, OPENVINO),
        ([ONNX], True, Precision.AUTO, MANY_PICTURES - 1, ONNX),
        ([ONNX], True, Precision.AUTO, MANY_PICTURES, TORCH),
        ([ONNX], True, Precision.AUTO, None, TORCH),
        ([ONNX], True, Precision.FP32, MANY_PICTURES, ONNX),
        ([ONNX], True, Precision.BF16, 1, TORCH),
        ([ONNX], False, Precision.AUTO, None, ONNX),
        ([], True, Precision.AUTO, 1, TORCH),
    ],
)
def test_fastest_on_the_cpu(installed, monkeypatch, there, bf16, precision, pictures, expected):
    installed(*there)
    monkeypatch.setattr(choice, "processor_has_bf16", lambda: bf16)
    assert fastest_on_cpu(precision, pictures) is expected


@pytest.mark.parametrize(
    ("there", "device", "has_cuda", "expected"),
    [
        ([ONNX, OPENVINO], "cpu", True, OPENVINO),
        ([ONNX, OPENVINO], "auto", False, OPENVINO),
        ([ONNX, OPENVINO], "auto", True, ONNX),
        ([ONNX, OPENVINO], "cuda:1", False, ONNX),
        ([ONNX], "cpu", False, ONNX),
        ([], "cpu", False, ONNX),
    ],
)
def test_fastest_for_an_onnx_file(installed, monkeypatch, there, device, has_cuda, expected):
    installed(*there)
    monkeypatch.setattr(choice, "onnxruntime_has_cuda", lambda: has_cuda)
    assert fastest_for_onnx(device) is expected


class TestAuto:
    """What AUTO does with a model file."""

    def test_without_a_twin_it_is_torch(self, alone):
        assert load_segmenter(str(alone), "cpu", "fp32").backend == "torch fp32 cpu"

    def test_a_twin_is_used(self, with_twin, installed):
        pytest.importorskip("onnxruntime")
        installed(ONNX)
        assert load_segmenter(str(with_twin), "cpu", pictures=1).backend == "onnxruntime fp32 cpu"

    def test_a_twin_of_another_model_is_not(self, with_twin, installed, tiny_onnx):
        installed(ONNX)
        shutil.copy(tiny_onnx, with_twin.with_suffix(".onnx"))
        assert load_segmenter(str(with_twin), "cpu", "fp32").backend == "torch fp32 cpu"

    def test_a_damaged_twin_is_not(self, with_twin, installed):
        installed(ONNX)
        with_twin.with_suffix(".onnx").write_bytes(b"junk")
        assert load_segmenter(str(with_twin), "cpu", "fp32").backend == "torch fp32 cpu"

    def test_an_accelerator_is_torchs(self, with_twin, installed, monkeypatch):
        installed(ONNX)
        asked = []
        monkeypatch.setattr(load, "_load_in_torch", lambda _path, device, _precision: asked.append(device) or Fake())
        monkeypatch.setattr(load, "may_have_accelerator", lambda: True)
        monkeypatch.setattr("lesionctl.runtime.device.has_accelerator", lambda: True)
        for device in ("cuda", "cuda:1", "mps", "auto"):
            load_segmenter(str(with_twin), device)
        assert asked == ["cuda", "cuda:1", "mps", "auto"]

    @pytest.mark.parametrize("asked_of_torch", [True, False])
    def test_on_a_machine_without_an_accelerator_auto_is_the_cpu(
        self, with_twin, installed, monkeypatch, asked_of_torch
    ):
        pytest.importorskip("onnxruntime")
        installed(ONNX)
        monkeypatch.setattr(load, "may_have_accelerator", lambda: asked_of_torch)
        monkeypatch.setattr("lesionctl.runtime.device.has_accelerator", lambda: False)
        assert load_segmenter(str(with_twin), "auto", "fp32").backend == "onnxruntime fp32 cpu"

    def test_a_device_that_is_not_there_is_never_the_cpu_instead(self, with_twin, monkeypatch):
        monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
        with pytest.raises(UsageError, match="there is no device 'cuda'"):
            load_segmenter(str(with_twin), "cuda")

    def test_each_of_several_models_has_its_own(self, with_twin, model_file, installed):
        pytest.importorskip("onnxruntime")
        installed(ONNX)
        segmenter = load_segmenter([str(with_twin), str(model_file)], "cpu", "fp32")
        assert segmenter.backend == "onnxruntime fp32 cpu + torch fp32 cpu"

    def test_a_backend_that_cannot_be_imported_is_passed_over(self, with_twin, tiny_onnx, broken):
        pytest.importorskip("onnxruntime")
        broken(OPENVINO)
        assert load_segmenter(str(with_twin), "cpu", "fp32").backend == "onnxruntime fp32 cpu"
        assert load_segmenter(str(tiny_onnx), "cpu").backend == "onnxruntime fp32 cpu"
        broken(ONNX)
        assert load_segmenter(str(with_twin), "cpu", "fp32").backend == "torch fp32 cpu"


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A function that installs a package of a backend which lacks a library."""

    def install(backend):
        (tmp_path / "broken" / backend).mkdir(parents=True)
        script = tmp_path / "broken" / backend / "__init__.py"
        script.write_text("raise ImportError('libfoo.so.1: cannot open\\nshared object file')")
        for name in [name for name in sys.modules if name.split(".")[0] == backend]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(tmp_path / "broken")

    return install


class Fake:
    """Stands for a Segmenter."""


class TestNamedBackend:
    """A backend that was asked for runs any file that it can, or says why not."""

    @pytest.mark.parametrize("backend", [ONNX, OPENVINO])
    def test_a_model_file_is_converted_once(self, alone, cache, views, tiny_torch, backend, conversions, capfd):
        pytest.importorskip(backend.value)
        for _ in range(2):
            segmenter = load_segmenter(str(alone), "cpu", "fp32", backend)
            assert segmenter.backend == f"{backend} fp32 cpu"
            np.testing.assert_allclose(segmenter.forward(views), tiny_torch.forward(views), atol=5e-4)
            assert conversions == [digest_of(alone)]
        (kept,) = (cache / "onnx").iterdir()
        assert kept.name.startswith(f"{digest_of(alone)}-")
        assert capfd.readouterr() == ("", "")

    def test_another_model_is_converted_too(self, alone, cache, conversions):
        pytest.importorskip("onnxruntime")
        load_segmenter(str(alone), "cpu", backend=ONNX)
        content = bytearray(alone.read_bytes())
        content[-4] ^= 1  # the least of the last weight, so that the two say the same
        alone.write_bytes(content)
        load_segmenter(str(alone), "cpu", backend=ONNX)
        assert len(set(conversions)) == len(conversions) == len(list((cache / "onnx").iterdir())) == 2

    def test_a_twin_saves_the_conversion(self, with_twin, cache):
        pytest.importorskip("onnxruntime")
        assert load_segmenter(str(with_twin), "cpu", backend=ONNX).backend == "onnxruntime fp32 cpu"
        assert not cache.exists()

    def test_torch_is_used_beside_a_twin(self, with_twin):
        assert load_segmenter(str(with_twin), "cpu", "fp32", TORCH).backend == "torch fp32 cpu"

    def test_what_converts_is_named_where_it_is_missing(self, alone, cache, monkeypatch):
        pytest.importorskip("onnxruntime")
        monkeypatch.setitem(sys.modules, "onnxscript", None)
        with pytest.raises(MissingExtra) as caught:
            load_segmenter(str(alone), "cpu", backend=ONNX)
        assert caught.value.hint == "pip install 'lesionctl[onnx]'"

    def test_a_cache_that_cannot_be_written_is_named(self, alone, cache, conversions):
        cache.write_text("a file")
        with pytest.raises(LesionctlError, match="cannot be kept as ONNX in") as caught:
            load_segmenter(str(alone), "cpu", backend=ONNX)
        assert "LESIONCTL_CACHE_DIR" in caught.value.hint

    @pytest.mark.parametrize("backend", [ONNX, OPENVINO])
    def test_one_that_is_installed_but_broken_is_not_said_to_be_missing(self, tiny_onnx, broken, backend):
        broken(backend)
        reason = r"is installed but cannot be loaded \(libfoo\.so\.1: cannot open shared object file\)"
        with pytest.raises(LesionctlError, match=f"'{backend}', which {reason}") as caught:
            load_segmenter(str(tiny_onnx), "cpu", backend=backend)
        assert caught.value.hint == f"pip install --force-reinstall {backend}, or use another --backend"

    def test_torch_does_not_run_onnx_files(self, tiny_onnx):
        with pytest.raises(UsageError, match=r"torch cannot run .*tiny\.onnx"):
            load_segmenter(str(tiny_onnx), "cpu", backend=TORCH)

    @pytest.mark.parametrize("backend", [TORCH, ONNX])
    def test_openvinos_own_format_is_for_openvino(self, tmp_path, backend):
        (tmp_path / "m.xml").touch()
        with pytest.raises(UsageError, match=f"is for OpenVINO, {backend} cannot run it"):
            load_segmenter(str(tmp_path / "m.xml"), backend=backend)


class TestDigest:
    """The digest is that of the file that a person named, whatever runs it."""

    def test_of_a_model_file_its_twin_and_its_conversion(self, with_twin, cache):
        pytest.importorskip("onnxruntime")
        expected = hashlib.sha256(with_twin.read_bytes()).hexdigest()
        for backend in (TORCH, ONNX):
            assert load_segmenter(str(with_twin), "cpu", "fp32", backend).digest == expected

    def test_of_an_onnx_file(self, tiny_onnx):
        pytest.importorskip("onnxruntime")
        segmenter = load_segmenter(str(tiny_onnx), "cpu", "fp32", ONNX)
        assert segmenter.digest == hashlib.sha256(tiny_onnx.read_bytes()).hexdigest()

    def test_of_openvinos_own_format_it_tells_the_weights_apart(self, tmp_path):
        (tmp_path / "m.xml").write_bytes(b"network")
        assert digest_of(tmp_path / "m.xml") == hashlib.sha256(b"network").hexdigest()
        (tmp_path / "m.bin").write_bytes(b"weights")
        assert digest_of(tmp_path / "m.xml") == hashlib.sha256(b"networkweights").hexdigest()
        (tmp_path / "m.onnx").write_bytes(b"network")
        assert digest_of(tmp_path / "m.onnx") == hashlib.sha256(b"network").hexdigest()

    def test_of_several_it_is_made_of_theirs_in_order(self, model_file, alone):
        alone.write_bytes(model_file.read_bytes()[:-1] + b"\0")
        digests = [digest_of(model_file), digest_of(alone)]
        assert digests[0] != digests[1]
        segmenter = load_segmenter([str(model_file), str(alone)], "cpu", "fp32")
        assert segmenter.digest == hashlib.sha256("".join(digests).encode()).hexdigest()


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_has_a_twin_that_was_made_from_it(name):
    pytest.importorskip("onnxruntime")
    from lesionctl.runtime.onnx_segmenter import OnnxSegmenter

    twin = OnnxSegmenter(BUNDLED_MODELS / f"{name}.onnx", "cpu")
    assert twin.source == digest_of(find_model(name)), f"lesionctl export {name} --precision fp16 makes it"
    assert twin.spec == read_model_spec(find_model(name))
    assert twin._path.stat().st_size <= 12_000_000


@pytest.mark.parametrize(
    ("backend", "precision", "mean", "worst"),
    [
        (ONNX, Precision.FP32, 0.9999, 0.999),
        (OPENVINO, Precision.FP32, 0.9999, 0.999),
        (TORCH, Precision.BF16, 0.995, 0.97),
        (OPENVINO, Precision.BF16, 0.99, 0.95),
    ],
)
def test_all_backends_find_the_same_lesions(backend, precision, mean, worst, drawn):
    if backend is not TORCH:
        pytest.importorskip(backend.value)
    if precision is Precision.BF16 and not choice.processor_has_bf16():
        pytest.skip("a processor without bfloat16")
    segmenter = load_segmenter(DEFAULT_MODEL, "cpu", precision, backend)
    assert segmenter.backend == f"{backend} {precision} cpu"
    images, expected = drawn
    scores = [dice(count(*masks)) for masks in zip(find(segmenter, images), expected, strict=True)]
    assert np.mean(scores) >= mean
    assert min(scores) >= worst


@pytest.fixture(scope="module")
def drawn():
    """Eight drawn pictures, and the masks that torch makes of them in float32."""
    images = [paint_scene(2, plan_scene(2, number))[0] for number in range(8)]
    return images, find(load_segmenter(DEFAULT_MODEL, "cpu", Precision.FP32, TORCH), images)


def find(segmenter, images):
    """The masks of pictures."""
    frames = [segmenter.spec.frame(*image.shape[:2]) for image in images]
    return [segmenter.mask(*pair) for pair in zip(segmenter.segment(images), frames, strict=True)]


@pytest.mark.parametrize("backend", [ONNX, OPENVINO])
def test_the_bundled_model_runs_without_the_large_packages(backend, tmp_path):
    """They take seconds to import, and one picture takes milliseconds."""
    pytest.importorskip(backend.value)
    script = """
import sys
from pathlib import Path
from lesionctl.atomic import write_bytes
from lesionctl.imaging.decode import decode
from lesionctl.imaging.masks import encode_mask
from lesionctl.runtime.load import load_segmenter
segmenter = load_segmenter("lesion-s", "cpu", backend=sys.argv[1], pictures=1)
picture = decode(Path(sys.argv[2]), at_least=segmenter.spec.size)
frame = segmenter.spec.frame(picture.height, picture.width)
write_bytes(Path(sys.argv[3]), encode_mask(segmenter.mask(segmenter.segment([picture.image])[0], frame)))
large = "torch timm torchvision onnx onnxscript sklearn scipy safetensors albumentations matplotlib huggingface_hub"
print(*sorted(set(large.split()) & set(sys.modules)))
"""
    from PIL import Image as Pillow

    Pillow.fromarray(paint_scene(1, plan_scene(1, 0))[0]).save(tmp_path / "p.png")
    names = [backend.value, str(tmp_path / "p.png"), str(tmp_path / "mask.png")]
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    assert (tmp_path / "mask.png").stat().st_size > 0
