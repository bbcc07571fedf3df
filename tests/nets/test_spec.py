"""A net as plain data: checked, written, read back."""

from __future__ import annotations

import json

import pytest

from lesionctl.nets.spec import Arch, ClassicSpec, DeepLabV3PlusSpec, UNetSpec, spec_from_dict, spec_to_dict

SPECS = [
    UNetSpec("resnet18", (8, 4), 4, in_channels=1),
    DeepLabV3PlusSpec("resnet18", 8, in_channels=4, aspp_channels=32),
    ClassicSpec((4, 8), in_channels=1),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.arch))
def test_spec_survives_json(spec):
    values = json.loads(json.dumps(spec_to_dict(spec)))
    assert values["arch"] == spec.arch
    assert spec_from_dict(values) == spec


def test_every_architecture_has_a_spec():
    assert {spec.arch for spec in SPECS} == set(Arch)
    assert [arch.label for arch in Arch] == ["U-Net", "DeepLabV3+", "classic U-Net"]


def test_net_of_a_file_of_before_is_a_unet():
    values = {"encoder": "resnet18", "decoder_channels": [8, 4], "decoder_stride": 4, "in_channels": 1}
    assert spec_from_dict(values) == UNetSpec("resnet18", (8, 4), 4, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetSpec("x", (16,), 3), "the decoder's stride is 3; it can be 1, 2 or 4"),
        (lambda: UNetSpec("x", (), 2), "must be one or more positive widths"),
        (lambda: UNetSpec("x", (16, 0), 2), "must be one or more positive widths"),
        (lambda: UNetSpec("x", in_channels=0), "0 channels of input are too few"),
        (lambda: DeepLabV3PlusSpec("x", 32), "the output stride is 32; it can be 8 or 16"),
        (lambda: DeepLabV3PlusSpec("x", aspp_channels=0), "must be one or more positive widths"),
        (lambda: DeepLabV3PlusSpec("x", in_channels=0), "0 channels of input are too few"),
        (lambda: ClassicSpec(()), "must be one or more positive widths"),
        (lambda: ClassicSpec((8, -1)), "must be one or more positive widths"),
        (lambda: ClassicSpec(in_channels=-3), "-3 channels of input are too few"),
    ],
)
def test_spec_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"arch": "fcn"}, "fcn"),
        ({"arch": "classic"}, "a classic U-Net is described by in_channels, widths, not by "),
        ({"encoder": "x"}, "a U-Net is described by decoder_channels, decoder_stride, encoder, in_channels, not by en"),
        ({"arch": "classic", "widths": [8], "in_channels": 3, "colour": 1}, "not by colour, in_channels, widths"),
    ],
    ids=["unknown", "nothing", "too little", "too much"],
)
def test_description_of_something_else_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        spec_from_dict(values)
