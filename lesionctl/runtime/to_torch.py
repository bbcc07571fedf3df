"""To torch's own format for programs, `.pt2`: a graph that runs without this program, or machine code made of it."""

from __future__ import annotations

import copy
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lesionctl.errors import LesionctlError
from lesionctl.runtime.exported_file import Form, write_facts
from lesionctl.runtime.quiet import quiet
from lesionctl.runtime.to_onnx import whole_or_raw
from lesionctl.runtime.tolerance import Storage

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from lesionctl.nets.model_spec import ModelSpec

# As in model files and ONNX files: small tensors weigh little, and rounding the depthwise kernels moves most.
_LARGE = 16_384


def to_torch(
    spec: ModelSpec,
    net: nn.Module,
    *,
    source: str = "",
    storage: Storage = Storage.FP32,
    form: Form = Form.WHOLE,
    compiled: bool = False,
) -> bytes:
    """The bytes of a `.pt2` file, for any number of pictures.

    Args:
        spec: How the model is used.
        net: The network, float32, in evaluation mode, on the CPU; it is not changed.
        source: SHA-256 of the model file that the network is from, in hex, for the metadata.
        storage: FP32; FP16, where the graph turns the large tensors into float32; BF16, where all tensors are stored
            and all of the network computes in bfloat16, but what goes in and out stays as it is.
        form: What goes in and out, see `to_onnx`.
        compiled: Make a package of AOTInductor, with machine code for processors like this one, in place of a graph.

    Returns:
        What `torch.export.load` reads, with the entries of `write_facts` as extra files; or what
        `torch._inductor.aoti_load_package` reads, with the same entries as its metadata. Both are ZIP archives.

    Raises:
        LesionctlError: There is no compiler that can make the package.
    """
    module, pictures = whole_or_raw(spec, _stored(net, storage), form)
    with quiet(), torch.no_grad():
        program = torch.export.export(module, (pictures,), dynamic_shapes=({0: torch.export.Dim("N", min=1)},))
        facts = write_facts(spec, form, storage, source)
        if compiled:
            return _compile(program, facts)
        file = io.BytesIO()
        torch.export.save(program, file, extra_files=facts)
        return file.getvalue()


def _stored(net: nn.Module, storage: Storage) -> nn.Module:
    """The network with its tensors in another format."""
    if storage is Storage.FP32:
        return net
    net = copy.deepcopy(net)
    if storage is Storage.BF16:
        return _InBfloat16(net).eval()
    large = [
        (module, name, parameter)
        for module in net.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.numel() > _LARGE
    ]
    for module, name, parameter in large:
        setattr(module, name, nn.Parameter(parameter.detach().half(), requires_grad=False))
        parametrize.register_parametrization(module, name, _ToFloat32(), unsafe=True)  # unsafe: it changes the type
    return net.eval()


class _ToFloat32(nn.Module):
    def forward(self, stored: Tensor) -> Tensor:
        return stored.float()


class _InBfloat16(nn.Module):
    """A network that computes in bfloat16, from float32 to float32."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.bfloat16()).float()


def _compile(program: ExportedProgram, facts: dict[str, str]) -> bytes:
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.exc import InvalidCxxCompiler

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "model.pt2"
        try:
            aoti_compile_and_package(
                program, package_path=str(target), inductor_configs={"aot_inductor.metadata": facts}
            )
        except Exception as error:
            if isinstance(error, InvalidCxxCompiler) or "InvalidCxxCompiler" in str(error):
                raise LesionctlError(
                    "AOTInductor found no C++ compiler that it can use",
                    hint="install g++ (Linux), Xcode's tools (macOS) or MSVC (Windows), or leave out --aot-inductor",
                ) from error
            reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
            raise LesionctlError(
                f"AOTInductor cannot compile this model here ({reason})", hint="leave out --aot-inductor"
            ) from error
        return target.read_bytes()
