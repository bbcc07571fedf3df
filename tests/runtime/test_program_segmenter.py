"""torch runs `.pt2` files without the network's own code: the same answers in each precision, errors for people."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import torch

from lesionctl.errors import BadFile, UsageError
from lesionctl.nets.build import build_net
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import ClassicSpec
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.exported_file import Form
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.program_segmenter import ProgramSegmenter, read_program_facts
from lesionctl.runtime.to_torch import to_torch
from lesionctl.runtime.tolerance import Storage
from lesionctl.runtime.torch_segmenter import TorchSegmenter

SPEC = ModelSpec(ClassicSpec((8, 16, 64)), 64, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), name="tiny")


@pytest.fixture(scope="module")
def net():
    """A small network with random weights, in evaluation mode; not to be changed."""
    torch.manual_seed(0)
    return build_net(SPEC.net).eval()


@pytest.fixture(scope="module")
def original(net):
    """It in torch, in float32."""
    return TorchSegmenter(SPEC, net, choose_compute("cpu", Precision.FP32))


@pytest.fixture(scope="module")
def program(net, tmp_path_factory):
    """A function that writes it as `.pt2`, each way once."""
    folder = tmp_path_factory.mktemp("pt2")

    def write(storage=Storage.FP32, form=Form.WHOLE):
        path = folder / f"{storage}-{form}.pt2"
        if not path.exists():
            path.write_bytes(to_torch(SPEC, net, source="5a" * 32, storage=storage, form=form))
        return path

    return write


@pytest.mark.parametrize("pictures", [1, 2, 5])
@pytest.mark.parametrize(("storage", "close"), [(Storage.FP32, 1e-5), (Storage.FP16, 2e-3), (Storage.BF16, 0.05)])
def test_it_agrees_with_torch(program, original, views, pictures, storage, close):
    precision = Precision.AUTO if storage is Storage.BF16 else Precision.FP32
    segmenter = ProgramSegmenter(program(storage), "cpu", precision)
    probabilities = segmenter.forward(views[:pictures])
    assert (probabilities.shape, probabilities.dtype) == ((pictures, 64, 64), np.float32)
    np.testing.assert_allclose(probabilities, original.forward(views[:pictures]), atol=close)
    assert segmenter.backend == f"torch.export {'bf16' if storage is Storage.BF16 else 'fp32'} cpu"
    assert (segmenter.spec, segmenter.source) == (SPEC, "5a" * 32)


def test_a_file_in_float32_can_be_computed_in_bfloat16(program, original, views):
    segmenter = ProgramSegmenter(program(), "cpu", Precision.BF16)
    probabilities = segmenter.forward(views)
    assert segmenter.backend == "torch.export bf16 cpu"
    assert 0 < np.abs(probabilities - original.forward(views)).max() < 0.05


def test_writing_it_leaves_the_network_as_it_was(program, net):
    program(Storage.BF16)
    program(Storage.FP16)
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


def test_a_file_in_bfloat16_is_computed_in_nothing_else(program):
    with pytest.raises(UsageError, match="computes in bf16, not in fp32"):
        ProgramSegmenter(program(Storage.BF16), "cpu", Precision.FP32)


def test_a_file_of_the_raw_form_is_refused(program):
    with pytest.raises(BadFile, match="is of the raw form"):
        ProgramSegmenter(program(form=Form.RAW), "cpu")


def test_what_is_no_program_of_ours_is_refused(tmp_path):
    path = tmp_path / "x.pt2"
    torch.export.save(torch.export.export(torch.nn.Identity(), (torch.zeros(1),)), path)
    with pytest.raises(BadFile, match="does not say how it is used"):
        ProgramSegmenter(path)


@pytest.mark.parametrize("content", [b"junk" * 100, b""], ids=["junk", "nothing"])
def test_a_damaged_file_is_a_bad_file(tmp_path, content):
    path = tmp_path / "x.pt2"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"is no \.pt2 file that can be read"):
        ProgramSegmenter(path)


def test_a_file_without_its_program_is_a_bad_file(program, tmp_path):
    path = tmp_path / "x.pt2"
    with zipfile.ZipFile(program()) as whole, zipfile.ZipFile(path, "w") as part:
        for name in whole.namelist():
            if "/extra/" in name:
                part.writestr(name, whole.read(name))
    with pytest.raises(BadFile, match=r"is no program that torch .* can run"):
        ProgramSegmenter(path, "cpu")


def test_machine_code_is_not_run(program, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.export, "load", None)
    path = tmp_path / "x.pt2"
    facts = read_program_facts(program())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data/aotinductor/model/a.wrapper.so", b"\x7fELF")
        archive.writestr("x/data/aotinductor/model/a.wrapper_metadata.json", json.dumps(facts))
    with pytest.raises(BadFile, match="machine code, which is not run here") as caught:
        ProgramSegmenter(path)
    assert "aoti_load_package" in caught.value.hint
