"""The one door to timm: `from lesionctl.nets.timm_import import timm`.

timm imports torchvision, whose Python code registers shape functions for its compiled operators at import. Where the
compiled part does not match the torch build (a CPU build of torch beside torchvision's CUDA wheel, common on clusters
and laptops), those operators do not exist and `import torchvision` dies with `operator torchvision::nms does not
exist`. Defining their schemas first is enough, since nothing here ever calls them. Where the compiled part does match,
it defines them itself and must find them undefined, so the schemas are added only after a first import has failed.
"""

from __future__ import annotations

import importlib
import sys

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_fragment: torch.library.Library | None = None  # the schemas live as long as this object


def _import_torchvision() -> None:
    global _fragment
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _fragment = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            _fragment.define(operator + _SCHEMA)  # type: ignore[no-untyped-call]
        importlib.import_module("torchvision")


_import_torchvision()

import timm  # noqa: E402
import timm.data  # noqa: E402

__all__ = ["timm"]
