"""The Segmenter on a `.pt2` file: a program of torch.export, without the network's own code."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import torch

from lesionctl.errors import BadFile, UsageError
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.exported_file import read_facts
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.segmenter import Segmenter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch.fx import GraphModule


class ProgramSegmenter(Segmenter):
    """A whole model in a `.pt2` file: uint8 pictures in, probabilities out.

    The file is read with `torch.export.load`, which trusts it: it unpickles where the file says that a tensor is
    pickled, and evaluates the file's expressions of sizes. A model file (`.safetensors`) and an ONNX file hold data
    alone; a `.pt2` file is to be taken from people who could as well send a script. Packages of AOTInductor hold
    machine code and are not run at all.

    Args:
        path: A file that `lesionctl export --to torch` wrote.
        device: See `choose_compute`.
        precision: As for a model file, unless the file is in bfloat16, which is what it is computed in then.

    Attributes:
        source: SHA-256 of the model file that the file was made from, in hex; empty where it does not say.

    Raises:
        UsageError: There is no such device, or it or the file has no such precision.
        BadFile: The file is damaged, was not written by this program, or holds machine code.
    """

    def __init__(self, path: Path, device: str = "auto", precision: Precision = Precision.AUTO) -> None:
        facts = read_program_facts(path)
        if is_compiled(path):
            raise BadFile(
                path,
                "is a package of AOTInductor with machine code, which is not run here",
                hint="predict with the .safetensors file that it was made from; from Python, "
                "torch._inductor.aoti_load_package runs the package",
            )
        self.spec, self.source, stored = read_facts(path, facts)
        in_bf16 = stored == Precision.BF16
        if in_bf16 and precision not in {Precision.AUTO, Precision.BF16}:
            raise UsageError(
                f"{path} computes in bf16, not in {precision}", hint="leave out --precision, or export it in fp32"
            )
        self.compute = choose_compute(device, Precision.FP32 if in_bf16 else precision)
        self.backend = f"torch.export {stored if in_bf16 else self.compute.precision} {self.compute.device}"
        self._model = self.compute.place(load_program(path, self.compute.device))

    @torch.inference_mode()
    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        pictures = torch.from_numpy(np.ascontiguousarray(batch)).to(self.compute.device)
        with self.compute.autocast():
            probabilities: NDArray[np.float32] = self._model(pictures).cpu().numpy()
        return probabilities


def load_program(path: Path, device: torch.device) -> GraphModule:
    """The program of a `.pt2` file as a module on a device.

    Raises:
        BadFile: It is damaged.
    """
    from torch.export.passes import move_to_device_pass

    try:
        module = move_to_device_pass(torch.export.load(path), device).module()
    except Exception as error:
        raise BadFile(path, f"is no program that torch {torch.__version__} can run ({_first_line(error)})") from error
    # They insist on the number formats of the day it was traced, and autocast is there to choose others.
    for node in list(module.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
    module.recompile()
    return module


def read_program_facts(path: Path) -> dict[str, str]:
    """The metadata entries of a `.pt2` file, read without running or unpickling any of it.

    Raises:
        BadFile: It is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            texts = {name.split("/", 1)[-1]: name for name in archive.namelist()}
            compiled = next((name for place, name in texts.items() if place.endswith(".wrapper_metadata.json")), None)
            if compiled is not None:
                return json.loads(archive.read(compiled))
            extra = {place: name for place, name in texts.items() if place.startswith("extra/")}
            return {place.removeprefix("extra/"): archive.read(name).decode() for place, name in extra.items()}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise BadFile(path, f"is no .pt2 file that can be read ({error})") from error


def is_compiled(path: Path) -> bool:
    """Whether a `.pt2` file is a package of AOTInductor, with machine code."""
    with zipfile.ZipFile(path) as archive:
        return any("/data/aotinductor/" in name for name in archive.namelist())


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line), repr(error))
