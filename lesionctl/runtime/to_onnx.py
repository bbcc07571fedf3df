"""To ONNX: the whole model in a graph, bytes in and probabilities out, or the network alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lesionctl.errors import MissingExtra
from lesionctl.runtime.exported_file import INPUT, OUTPUT, RAW_OUTPUT, Form, write_facts
from lesionctl.runtime.quiet import quiet
from lesionctl.runtime.tolerance import Storage
from lesionctl.runtime.torch_segmenter import WholeModel

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

    from lesionctl.nets.model_spec import ModelSpec

OPSET = 18

# As in model files: small tensors weigh little, and rounding the depthwise kernels moves probabilities most.
_LARGE = 16_384


def to_onnx(spec: ModelSpec, net: nn.Module, *, source: str = "", half: bool = False, form: Form = Form.WHOLE) -> bytes:
    """The bytes of an ONNX file, of opset `OPSET`.

    Of the whole form, its input `image` is uint8 `[N, size, size, 3]` RGB, its output `probability` float32
    `[N, size, size]`; of the raw form, they are `image`, float32 `[N, 3, size, size]`, and `logits`, float32
    `[N, 1, size, size]`. N is free. How the model is used stands in its metadata, see `write_facts`.

    Args:
        spec: How the model is used.
        net: The network, float32, in evaluation mode, on the CPU.
        source: SHA-256 of the model file that the network is from, in hex, for the metadata entry `lesionctl.source`.
        half: Store the large tensors as float16, which halves the file. The graph turns them into float32, which
            runtimes do once, when they load it: it computes as fast and in the same precision as with float32 weights.
        form: What goes in and out.

    Raises:
        MissingExtra: onnx or onnxscript is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and would fail with a less helpful error
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "onnx", "writing a model as ONNX") from error
    module, pictures = whole_or_raw(spec, net, form)
    with quiet():
        program = torch.onnx.export(
            module,
            (pictures,),
            input_names=[INPUT],
            output_names=[OUTPUT if form is Form.WHOLE else RAW_OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # torch returns None only where it writes the file itself
    model = program.model_proto
    if half:
        _store_large_as_half(model)
    onnx.helper.set_model_props(model, write_facts(spec, form, Storage.FP16 if half else Storage.FP32, source))
    return model.SerializeToString()


def whole_or_raw(spec: ModelSpec, net: nn.Module, form: Form) -> tuple[nn.Module, torch.Tensor]:
    """What is written of a model, and a batch of two empty pictures for it.

    Args:
        spec: How the model is used.
        net: The network, in evaluation mode, on the CPU.
        form: What goes in and out.
    """
    if form is Form.WHOLE:
        return WholeModel(net, spec).eval(), torch.zeros(2, spec.size, spec.size, 3, dtype=torch.uint8)
    return net, torch.zeros(2, 3, spec.size, spec.size)


def _store_large_as_half(model: ModelProto) -> None:
    import onnx

    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != "float32" or values.size <= _LARGE:
            continue
        stored = f"{tensor.name}.half"
        casts.append(onnx.helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype("float16"), stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
