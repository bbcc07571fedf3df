"""Batch norms whose statistics are those of the whole batch, where several processes each see a part of it."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lesionctl.nets.timm_import import timm

if TYPE_CHECKING:
    from lesionctl.runtime.device import Compute
    from lesionctl.train.distributed.ranks import Ranks


def synchronise_norms(net: nn.Module, compute: Compute, ranks: Ranks) -> nn.Module:
    """Let every batch norm of a network train on the statistics of all processes' batches together.

    On a GPU the norms become torch's SyncBatchNorm, converted by timm, which keeps the activations inside its own
    norms. That class refuses to work on the CPU: there each norm stays what it is and is given another `forward`.
    Names, weights and buffers, and their order, stay as they are; evaluation too.

    Args:
        net: On its device, not yet wrapped; changed in place.
        compute: Where it is trained.
        ranks: With whom; in a world of one nothing changes.

    Returns:
        The network to use from here on.
    """
    if ranks.world == 1:
        return net
    if compute.device.type == "cuda":
        return timm.layers.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
    forward = torch.compiler.disable(_forward)  # type: ignore[no-untyped-call] # it cannot see into a collective
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.forward = MethodType(forward, module)  # type: ignore[method-assign] # a deep copy binds it anew
    return net


def _forward(norm: _BatchNorm, x: Tensor) -> Tensor:
    """What `forward` of a BatchNorm, or of timm's norm with an activation, does, on the statistics of all processes."""
    if not norm.training:
        return type(norm).forward(norm, x)
    y, mean, unbiased = _Normalise.apply(x, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    norm.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    norm.running_mean.lerp_(mean, norm.momentum)  # type: ignore[arg-type, union-attr]
    norm.running_var.lerp_(unbiased, norm.momentum)  # type: ignore[arg-type, union-attr]
    if isinstance(norm, timm.layers.BatchNormAct2d):
        y = norm.act(norm.drop(y))
    return y


class _Normalise(torch.autograd.Function):
    """Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) over all processes, with one collective each way.

    The parts' means m, variances v and sizes n give the whole's: m̄ = Σnm/Σn, v̄ = Σn(v + (m - m̄)²)/Σn. The gradient is
    that of a norm with fixed statistics, less what flows through them: w/σ · (ΣdY + x̂ · Σ(dY·x̂)) / Σn.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise `[N, C, ...]`; returns it, and the whole batch's mean and unbiased variance, `[C]`."""
        # Of x in bfloat16, statistics come in float32 only where running ones are given; momentum 0 leaves those alone.
        unused = torch.zeros_like(weight), torch.zeros_like(weight)
        part_mean, part_variance = torch.batch_norm_update_stats(x, *unused, 0.0)
        size = torch.tensor([x.numel() / x.shape[1]])
        part = torch.cat([size, part_mean, part_variance]).double()  # [1 + 2C]
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part)
        sizes, means, variances = torch.stack(parts).tensor_split([1, 1 + len(weight)], dim=1)  # [W, 1], [W, C] twice
        total = sizes.sum()
        mean = (sizes * means).sum(0) / total
        variance = (sizes * (variances + (means - mean).square())).sum(0) / total
        unbiased = (variance * (total / (total - 1))).to(weight.dtype)
        mean, variance = mean.to(weight.dtype), variance.to(weight.dtype)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.total, ctx.eps = total.item(), eps
        ctx.mark_non_differentiable(mean, unbiased)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, unbiased

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of x, weight and bias; the last two are this process's share."""
        x, weight, mean, variance = ctx.saved_tensors
        dx, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([dweight, dbias])  # [2, C]: Σ(dY·x̂) and ΣdY
        dist.all_reduce(sums)
        scale = weight / (variance + ctx.eps).sqrt() / -ctx.total
        dx += F.batch_norm(x, mean, variance, scale * sums[0], scale * sums[1], False, 0.0, ctx.eps)
        return dx, dweight, dbias, None
