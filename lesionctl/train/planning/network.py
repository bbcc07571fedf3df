"""The planner's rules for the network and its input's size."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.dataset.samples import Split
from lesionctl.nets.encoders import HUB
from lesionctl.nets.model_file import read_model_spec
from lesionctl.nets.spec import Arch
from lesionctl.paths import DEFAULT_MODEL, encoder_weights_file
from lesionctl.runtime.load import find_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionctl.dataset.store import Store
    from lesionctl.train.planning.decisions import Decisions
    from lesionctl.train.planning.situation import Situation

_FEW = 1000
"""Training pictures below which a model that knows lesions is the better start."""

_OF_NETWORK = {"arch", "encoder", "encoder_weights", "decoder_channels", "decoder_stride", "output_stride", "widths"}
_SMALL_ENCODER, _SMALL_DECODER = "tf_efficientnet_lite0", (160, 96, 48, 32)
_DECODER = (256, 128, 64, 32, 16)
_GPU_ENCODERS = ((24 * 2**30, 2000, "resnet50"), (6 * 2**30, 0, "resnet34"))  # least memory, least pictures

_DIAMETER = 32  # pixels that a small lesion should measure across
_LEAST = {"cpu": 256, "cuda": 384, "mps": 320}
_MOST = {"cpu": 384, "cuda": 768, "mps": 512}


def plan_network(decisions: Decisions, store: Store, there: Situation) -> None:
    """What to start from: a model that knows lesions where pictures are few, else an encoder that the device bears."""
    given = decisions.given
    if "init" in given and decisions.options.init:
        decisions.reasons["init"] = "given"
        return
    decisions.given = given - {"init"}
    why_not = _why_not_bundled(decisions, store, there)
    if not why_not:
        path = find_model(DEFAULT_MODEL).resolve()
        licence = read_model_spec(path).licence.partition(" (")[0]
        reason = (
            f"{there.train} training pictures, fewer than {_FEW}: a model that knows lesions (its licence: {licence})"
        )
        decisions.take("init", str(path), reason)
        return
    decisions.take("init", "", why_not)
    del decisions.reasons["init"]  # without a model to start from it is no part of a plan
    decisions.take("arch", Arch.UNET, "the default")
    if decisions.options.arch is Arch.CLASSIC:
        decisions.options = replace(decisions.options, encoder_weights="none")
        of_paper = (64, 128, 256, 512, 1024)
        if there.device == "cpu":
            decisions.take("widths", tuple(width // 2 for width in of_paper), "half of the paper's, for cpu")
        else:
            decisions.take("widths", of_paper, "the paper's")
        return
    _plan_encoder(decisions, there, why_not)
    if decisions.options.arch is Arch.DEEPLABV3PLUS:
        decisions.take("output_stride", 16, "8 costs several times as much")
        return
    encoder = decisions.options.encoder
    small = encoder == _SMALL_ENCODER
    widths = _SMALL_DECODER if small else _DECODER
    decisions.take("decoder_channels", widths, f"in proportion to {encoder}" if small else f"the usual, for {encoder}")
    decisions.take("decoder_stride", 2, "borders of lesions are smooth; the last level costs most of the time")


def plan_size(decisions: Decisions, there: Situation) -> None:
    """As many pixels as small lesions want, the device bears and the pictures have."""
    init = decisions.options.init
    least = read_model_spec(Path(init)).size if init else _LEAST[there.device]
    across = 2 * math.sqrt(there.small_lesion / math.pi)  # diameter of a disc as a share of the picture's side
    wanted = _multiple(_DIAMETER / across, math.ceil) if across else _MOST[there.device]
    size, why = wanted, f"a small lesion (19 of 20 are larger) covers {100 * there.small_lesion:.1f} %"
    if size < least:
        size, why = (
            least,
            f"{f'{Path(init).stem} was trained at {least}' if init else f'the least on {there.device}'}; {why}",
        )
    if size > (most := max(_MOST[there.device], least)):
        size, why = most, f"the most on {there.device}; {why}"
    detail = max(32, _multiple(there.native, math.ceil))
    if size > detail:
        size, why = detail, f"half of the pictures are no larger than {there.native} px; {why}"
    stored = max(32, _multiple(there.side, math.floor))
    if size > stored:
        size, why = stored, f"the store has {there.side} px; {why}"
    decisions.take("size", size, f"{why}: {size * across:.0f} px across")


def _why_not_bundled(decisions: Decisions, store: Store, there: Situation) -> str:
    """Why not to start from the bundled model; nothing where it is the right start."""
    if decisions.given & _OF_NETWORK:
        return "the network is given"
    if there.train >= _FEW:
        return f"{there.train} training pictures, {_FEW} or more"
    seen = read_model_spec(find_model(DEFAULT_MODEL)).seen.count(
        sample for sample in store.samples if sample.split is Split.VALIDATION
    )
    if seen and seen.pictures and not decisions.options.allow_seen:
        return f"{DEFAULT_MODEL} has seen {seen.pictures} of the {seen.of} validation pictures"
    return ""


def _plan_encoder(decisions: Decisions, there: Situation, why: str) -> None:
    if there.device == "cuda" and there.gpu_memory is not None:
        memory = there.gpu_memory
        fitting = (name for least, pictures, name in _GPU_ENCODERS if memory >= least and there.train >= pictures)
        encoder = next(fitting, _SMALL_ENCODER)
        decisions.take("encoder", encoder, f"a GPU with {there.memory_text}, {why}")
    else:
        decisions.take("encoder", _SMALL_ENCODER, f"small enough for {there.device}; {why}")
    file = encoder_weights_file(decisions.options.encoder)
    at_hand = (
        "in the cache" if file.is_file() else "not in the cache yet: `lesionctl fetch --encoder NAME` puts them there"
    )
    decisions.take("encoder_weights", HUB, f"ImageNet's, {at_hand.replace('NAME', decisions.options.encoder)}")


def _multiple(pixels: float, rounding: Callable[[float], int]) -> int:
    """The multiple of 32, which is every encoder's coarsest stride, above or below."""
    return 32 * rounding(pixels / 32)
