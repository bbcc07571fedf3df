"""timm can be imported whether torchvision's compiled part fits this torch or not.

A stand-in for torchvision does, in a process of its own, what the real one does at import.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Its Python code registers a shape function for an operator that its compiled part should have defined.
REGISTER = """
import torch
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets)
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, iou_threshold: dets)
"""

DEFINE = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""

IMPORT = """
import sys, types
for name in ("timm", "timm.data", "timm.optim"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["timm.optim"].param_groups_weight_decay = None
import lesionctl.nets.timm_import, torchvision, torch
print(torchvision.imported, torch.ops.torchvision.nms.default._schema)
"""

MARK = "\nimport sys\nimported = 'torchvision' in sys.modules\n"


def import_with(torchvision, folder):
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text("from torchvision import _meta\n" + MARK)
    (folder / "torchvision" / "_meta.py").write_text(torchvision)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", IMPORT], env=environment, capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.parametrize("torchvision", [DEFINE + REGISTER, REGISTER], ids=["compiled part fits", "does not fit"])
def test_torchvision_is_imported(tmp_path, torchvision):
    process = import_with(torchvision, tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("True torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def test_stand_in_that_does_not_fit_fails_as_the_real_one(tmp_path):
    (tmp_path / "broken.py").write_text(REGISTER)
    process = subprocess.run(
        [sys.executable, "-c", "import broken"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "operator torchvision::nms does not exist" in process.stderr


def test_other_failures_of_torchvision_are_not_hidden(tmp_path):
    process = import_with("raise RuntimeError('no such luck')", tmp_path)
    assert process.returncode == 1
    assert "RuntimeError: no such luck" in process.stderr


def test_timm_is_there():
    from lesionctl.nets.timm_import import timm

    assert timm.is_model("tf_efficientnet_lite0")
