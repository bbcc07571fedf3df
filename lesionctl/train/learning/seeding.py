"""Where random numbers begin: at the run's seed, and at each step anew, so that its place says what comes next."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from lesionctl.train.options import TrainOptions


def seed_run(options: TrainOptions) -> None:
    """Seed the first weights, and choose between kernels that are fast and those that repeat themselves on a GPU."""
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = not options.deterministic
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not options.deterministic
    if options.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself with a fixed workspace only
    torch.use_deterministic_algorithms(options.deterministic)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed what the network draws in a step (dropout, stochastic depth), for each process its own."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1)))
